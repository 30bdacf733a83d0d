"""The way of a call: arguments, policy, approval, run, bound; and that nothing but a result comes out."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.tools.base import Mode
from patchbay.tools.events import Decision, Outcome, ToolOutputDelta, ToolRunStarted
from patchbay.tools.freshness import file_seen

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    *("read", "write", "edit", "apply_patch", "bash", "bash_output", "bash_kill"),
    *("grep", "glob", "list", "web_fetch", "todo"),
]


def test_the_tools_with_small_plain_schemas(bench) -> None:
    schemas = bench.toolbox.schemas()
    assert [schema.name for schema in schemas] == NAMES
    text = "".join(
        json.dumps({"name": s.name, "description": s.description, "parameters": s.parameters}) for s in schemas
    )
    assert len(text) / 3.7 < 1300
    assert "$ref" not in text and '"title"' not in text
    edit = next(schema for schema in schemas if schema.name == "edit")
    item = edit.parameters["properties"]["edits"]["items"]
    assert item["required"] == ["old_text", "new_text"]
    assert edit.parameters["required"] == ["path", "edits"]


async def test_unknown_tool(bench) -> None:
    result = await bench.run("erase")
    assert result.outcome is Outcome.ERROR
    assert "erase" in result.content and "read, write, edit" in result.content
    assert bench.events == []


@pytest.mark.parametrize(
    ("name", "arguments", "cause"),
    [
        ("read", {}, "path is missing. It takes: path, offset?, limit?"),
        ("read", {"file_path": "a"}, 'path is missing (you gave "file_path")'),
        ("read", {"path": "a", "offset": 0}, "offset: input should be greater than or equal to 1"),
        ("read", {"path": ["a"]}, "path: input should be a valid string"),
        ("edit", {"path": "a", "edits": []}, "edits: list should have at least 1 item"),
        ("edit", {"path": "a", "edits": [{"old_text": "x"}]}, "edits[0].new_text"),
        ("edit", {"path": "a", "edits": "not json"}, "edits: input should be a valid list"),
        ("bash", {"command": "a\0b"}, "command: holds NUL"),
        ("bash", {"command": "  "}, "command: is empty"),
    ],
)
async def test_bad_arguments_say_what_is_wrong(bench, name: str, arguments: dict[str, Any], cause: str) -> None:
    result = await bench.run(name, **arguments)
    assert result.outcome is Outcome.ERROR and result.summary == "bad arguments"
    assert cause in result.content and len(result.content) < 400
    assert bench.events == [] and bench.asked == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.sampled_from(["read", "edit", "glob", "list", "write"]),
    st.dictionaries(
        st.sampled_from(["path", "content", "edits", "old_text", "new_text", "offset", "limit", "pattern", "glob"]),
        JSON,
    ),
)
async def test_no_arguments_raise(bench, name: str, arguments: dict[str, Any]) -> None:
    bench.answer = Decision.DENY
    result = await bench.toolbox.run(
        run_id="r", name=name, arguments=arguments, emit=bench.events.append, approve=bench.approve
    )
    assert result.content
    result.content.encode()


async def test_a_fault_in_a_tool_is_a_result(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_question: object) -> None:
        raise RuntimeError("the asker broke")

    monkeypatch.setattr(bench, "approve", broken)
    result = await bench.run("bash", command="touch x")
    assert result.outcome is Outcome.ERROR
    assert "the asker broke" in result.content


async def test_reading_asks_nothing_and_starts_with_an_event(bench) -> None:
    bench.file("a.txt", "one\ntwo\n")
    result = await bench.run("read", path="a.txt")
    assert result.outcome is Outcome.OK
    assert (result.content, result.summary) == ("1\tone\n2\ttwo", "2 lines")
    assert bench.asked == []
    started, seen = bench.events
    assert started == ToolRunStarted(run_id="run-1", name="read", title="a.txt")
    assert seen == file_seen("run-1", "a.txt", b"one\ntwo\n")


@pytest.mark.parametrize("path", ["../outside.txt", ".env"])
async def test_reading_outside_or_a_secret_asks_and_a_no_gives_nothing_away(bench, path: str) -> None:
    (bench.root / path).resolve().write_text("TOPSECRET")
    bench.answer, bench.comment = Decision.DENY, "not that one"
    result = await bench.run("read", path=path)
    assert result.outcome is Outcome.DENIED
    assert "not that one" in result.content and "TOPSECRET" not in result.content
    assert Path(path).name in bench.asked[0].reason or "outside" in bench.asked[0].reason
    for arguments in ({"edits": [{"old_text": "x", "new_text": "y"}]},):
        result = await bench.run("edit", path=path, **arguments)
        assert "TOPSECRET" not in result.content and result.outcome is Outcome.ERROR
    bench.answer = Decision.ONCE
    assert "TOPSECRET" in (await bench.run("read", path=path)).content


async def test_question_shows_all_and_hides_nothing(bench) -> None:
    bench.answer = Decision.DENY
    await bench.run("bash", command="ls \x1b]0;$(rm -rf ~)\x07\n# \u202e")
    question = bench.asked[0]
    assert question.preview == "ls ⟨U+001B⟩]0;$(rm -rf ~)⟨U+0007⟩\n# ⟨U+202E⟩"
    assert question.title == "ls ⟨U+001B⟩]0;$(rm -rf ~)⟨U+0007⟩↵# ⟨U+202E⟩"
    assert question.pattern is None
    assert question.approval_id and question.run_id == "run-1"


async def test_always_is_remembered_and_next_time_unasked(bench) -> None:
    bench.answer = Decision.ALWAYS
    assert (await bench.run("bash", command="touch x")).outcome is Outcome.OK
    assert bench.remembered == [bench.asked[0].pattern] == ["bash:touch x"]
    await bench.run("bash", command="touch x && pwd")
    assert len(bench.asked) == 1


async def test_a_command_that_reads_runs_unasked_and_in_plan_mode(bench) -> None:
    bench.file("a.txt", "one")
    assert bench.toolbox.select_mode(Mode.PLAN) == ""
    result = await bench.run("bash", command="cat a.txt | wc -c")
    assert (result.outcome, bench.asked) == (Outcome.OK, [])
    assert result.content.startswith("3")


async def test_plan_mode_refuses_what_changes_and_tells_the_model_why(bench) -> None:
    bench.toolbox.select_mode(Mode.PLAN)
    for name, arguments in (("bash", {"command": "touch x"}), ("write", {"path": "x", "content": "y"})):
        result = await bench.run(name, **arguments)
        assert result.outcome is Outcome.DENIED
        assert "plan mode" in result.content and "Nothing was done" in result.content
    assert bench.asked == []
    assert not (bench.root / "x").exists()


async def test_a_loud_question_wants_a_word_and_offers_no_always(bench) -> None:
    bench.answer = Decision.DENY
    await bench.run("bash", command="rm -rf ~")
    assert (bench.asked[0].confirm, bench.asked[0].pattern) == ("rm", None)
    assert "(rule: loud)" in bench.asked[0].reason
    await bench.run("bash", command="touch x")
    assert bench.asked[1].confirm == ""


async def test_auto_mode_needs_a_sandbox(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.toolbox._sandbox, "lacking", lambda: "this machine has no sandbox")
    assert "sandbox" in bench.toolbox.select_mode(Mode.AUTO)
    await bench.run("bash", command="touch x")
    assert len(bench.asked) == 1
    monkeypatch.setattr(bench.toolbox._sandbox, "lacking", lambda: "")
    assert bench.toolbox.select_mode(Mode.AUTO) == ""
    await bench.run("bash", command="touch y")
    assert len(bench.asked) == 1


async def test_result_is_bounded_by_the_caller(bench) -> None:
    bench.file("big.txt", "".join(f"line {n}\n" for n in range(10_000)))
    for name, arguments in (
        ("read", {"path": "big.txt"}),
        ("bash", {"command": "cat big.txt"}),
        ("grep", {"pattern": "line"}),
    ):
        result = await bench.run(name, max_result_bytes=3000, **arguments)
        assert 1500 < len(result.content.encode()) <= 3000, name
        assert "[" in result.content, name


async def test_cancelling_kills_and_raises(bench, until) -> None:
    task = asyncio.create_task(bench.run("bash", command="echo $$ > pid; sleep 300"))
    pid = bench.root / "pid"
    await until(lambda: pid.exists() and pid.read_text().strip() != "")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_everything_emitted_and_returned_can_be_encoded(bench) -> None:
    bench.file("odd.txt", b"caf\xe9 one\n")
    await bench.run("read", path="odd.txt")
    result = await bench.run("edit", path="odd.txt", edits=[{"old_text": "one", "new_text": "two"}])
    assert (bench.root / "odd.txt").read_bytes() == b"caf\xe9 two\n"
    result.content.encode()
    change = bench.changes()[0]
    assert (change.before, change.after) == ("caf\ufffd one\n", "caf\ufffd two\n")
    bench.asked[-1].preview.encode()


async def test_bash_reports_output_status_and_streams(bench) -> None:
    result = await bench.run("bash", command="echo out; echo err >&2; exit 3")
    assert result.outcome is Outcome.ERROR
    assert (result.content, result.summary, result.exit_status) == ("out\nerr\n[exit 3]", "exit 3", 3)
    live = "".join(event.text for event in bench.events if isinstance(event, ToolOutputDelta))
    assert live == "out\nerr\n"


async def test_bash_timeout_is_told_in_words(bench) -> None:
    result = await bench.run("bash", command="echo before; sleep 100", timeout_s=1)
    assert result.outcome is Outcome.TIMEOUT
    assert "before\n" in result.content and "Stopped after 1 s (timeout)" in result.content


async def test_bash_tells_of_what_it_stopped(bench) -> None:
    result = await bench.run("bash", command="sleep 100 & echo hi")
    assert result.content == "hi\nProcesses it left running were stopped.\n[exit 0]"


async def test_bash_output_reaches_the_model_without_sequences(bench) -> None:
    result = await bench.run("bash", command=r"printf '\033[31mred\033[0m\r\n'")
    assert result.content == "red\n[exit 0]"


async def test_bash_spills_to_a_file_that_grep_and_read_open_unasked(bench) -> None:
    result = await bench.run("bash", command="seq 1 100000")
    assert 150_000 < len(result.content) <= 200_000
    path = result.content.partition("whole output (grep or read it): ")[2].partition(" …]")[0]
    bench.asked.clear()
    found = await bench.run("grep", pattern="^50000$", path=path)
    assert "50000: 50000" in found.content
    assert (await bench.run("read", path=path, offset=60000, limit=1)).content.startswith("60000\t60000")
    assert bench.asked == []
    assert (await bench.run("write", path=str(Path(path).with_name("new")), content="x")).outcome is Outcome.OK
    assert len(bench.asked) == 1


async def test_bash_sees_no_secret_of_the_environment(make_bench) -> None:
    bench = make_bench(environment={"OPENAI_API_KEY": "sk-canary", "TEXTUAL_FPS": "240"})
    result = await bench.run("bash", command="env")
    assert "canary" not in result.content and "TEXTUAL" not in result.content
    assert "TERM=dumb" in result.content


async def test_bash_that_cannot_start_is_an_error(bench) -> None:
    result = await bench.run("bash", command="true " + "x" * 200_000)
    assert result.outcome is Outcome.ERROR
    assert "could not be started" in result.content
