"""The plan: what models write, what is kept, and that nobody is asked."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.tools.base import Mode
from patchbay.tools.events import Outcome, TodoChanged, TodoItem, TodoStatus
from patchbay.tools.todo import MAX_ITEMS, MAX_TEXT

DONE, NOW, NEXT = TodoStatus.DONE, TodoStatus.IN_PROGRESS, TodoStatus.PENDING


def kept(bench) -> tuple[TodoItem, ...]:
    [event] = [event for event in bench.events if isinstance(event, TodoChanged)]
    return event.items


async def test_the_list_is_kept_shown_and_told_back(bench) -> None:
    result = await bench.run(
        "todo",
        items=[{"text": "look", "status": "done"}, {"text": "write", "status": "in_progress"}, {"text": "test"}],
    )
    assert result.outcome is Outcome.OK and result.summary == "1/3 done"
    assert result.content == "[x] look\n[>] write\n[ ] test"
    assert [(item.text, item.status) for item in kept(bench)] == [("look", DONE), ("write", NOW), ("test", NEXT)]
    assert bench.asked == [] and bench.started()[0].title == "write"


@pytest.mark.parametrize("mode", list(Mode))
async def test_no_mode_asks(bench, mode: Mode) -> None:
    bench.toolbox.select_mode(mode)
    assert (await bench.run("todo", items=["a"])).outcome is Outcome.OK
    assert bench.asked == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"items": ["a", "b"]}, [("a", NEXT), ("b", NEXT)]),
        ({"items": ["- [x] a", "* [ ] b", "2. [>] c"]}, [("a", DONE), ("b", NEXT), ("c", NOW)]),
        ({"items": [{"content": "a", "status": "completed"}]}, [("a", DONE)]),
        ({"items": [{"title": "a", "state": "in-progress"}]}, [("a", NOW)]),
        ({"items": [{"task": "a", "done": True}, {"task": "b", "done": False}]}, [("a", DONE), ("b", NEXT)]),
        ({"items": [{"text": "a", "status": "In Progress", "id": "1", "priority": "high"}]}, [("a", NOW)]),
        ({"todos": [{"content": "a", "status": "active"}]}, [("a", NOW)]),
        ({"items": json.dumps([{"text": "a", "status": "done"}])}, [("a", DONE)]),
        ({"items": "- [x] a\n- [ ] b\n"}, [("a", DONE), ("b", NEXT)]),
        ({"items": [{"text": "a", "status": None}]}, [("a", NEXT)]),
        ({"items": [{"text": " a\n\tb\x1b[31m "}]}, [("a  b", NEXT)]),
        ({"items": []}, []),
    ],
)
async def test_what_models_write_is_understood(bench, arguments: dict[str, Any], expected) -> None:
    result = await bench.run("todo", **arguments)
    assert result.outcome is Outcome.OK, result.content
    assert [(item.text, item.status) for item in kept(bench)] == expected


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({}, "items is missing"),
        ({"items": ["a"] * (MAX_ITEMS + 1)}, f"at most {MAX_ITEMS} items"),
        ({"items": [""]}, "items[0].text: is empty"),
        ({"items": [{"status": "done"}]}, "items[0].text"),
        ({"items": 7}, "items: "),
        ({"items": [7]}, "items[0]"),
    ],
)
async def test_what_cannot_be_kept_is_said(bench, arguments: dict[str, Any], cause: str) -> None:
    result = await bench.run("todo", **arguments)
    assert result.outcome is Outcome.ERROR and cause in result.content
    assert bench.events == []


async def test_a_long_step_is_cut(bench) -> None:
    await bench.run("todo", items=["x" * 5000])
    [item] = kept(bench)
    assert len(item.text) == MAX_TEXT and item.text.endswith("…")


PLAIN = st.none() | st.booleans() | st.integers() | st.text()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
async def test_nothing_raises(bench, items: Any) -> None:
    result = await bench.run("todo", items=items)
    assert result.outcome in (Outcome.OK, Outcome.ERROR) and not result.summary.startswith("failed")
