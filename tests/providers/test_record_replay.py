"""Recorded exchanges as a server: how they are read, told apart, and what a request is held to."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbay.providers.replaying import (
    RecordedExchange,
    ReplayTransport,
    answered_calls,
    made_calls,
    new_prompts,
    prompts,
    read_exchanges,
    recorded_provider,
    split_sessions,
)
from support.wire import collect, sse, text_of

BODIES: dict[str, dict[str, Any]] = {
    "anthropic_messages": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "a", "name": "t", "input": {}},
                    {"type": "tool_use", "id": "b", "name": "t", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "x"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "y"},
                    {"type": "text", "text": "two"},
                ],
            },
        ]
    },
    "openai_chat": {
        "messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
            {"role": "tool", "tool_call_id": "b", "content": "y"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {}}]},
        ]
    },
    "openai_responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
            {"type": "reasoning", "encrypted_content": "e", "summary": []},
            {"type": "function_call", "call_id": "a", "id": "fc_1"},
            {"type": "custom_tool_call", "call_id": "b"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
            {"type": "custom_tool_call_output", "call_id": "b", "output": "y"},
            {"role": "user", "content": "two"},
        ]
    },
}


@pytest.mark.parametrize("dialect", BODIES)
def test_a_request_of_any_dialect_is_read(dialect: str) -> None:
    body = BODIES[dialect]
    assert prompts(body) == ["one", "two"]
    assert made_calls(body) == answered_calls(body) == ["a", "b"]


def test_a_prompt_may_be_all_there_is() -> None:
    assert prompts({"input": "one"}) == ["one"]
    assert prompts({}) == answered_calls({}) == made_calls({}) == []


def saying(text: str, *calls: str) -> bytes:
    made = [{"index": at, "id": each, "function": {"name": "t", "arguments": "{}"}} for at, each in enumerate(calls)]
    delta = {"content": text} | ({"tool_calls": made} if made else {})
    return sse({"choices": [{"delta": delta, "finish_reason": "stop"}]}, done=True)


def recorded(name: str, messages: list[dict[str, Any]], reply: bytes = b"", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "family": "openai_chat",
        "provider": "somewhere",
        "model": "m",
        "kind": "stream",
        "request": {"method": "POST", "path": "/v1/chat/completions", "body": {"model": "m", "messages": messages}},
        "status": 200,
        "content_type": "text/event-stream",
        "response_headers": {},
        "body": (reply or saying(name)).decode(),
    } | changes


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "r"}


def calls(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": each} for each in ids]}


def folder_of(tmp_path: Path, *cases: dict[str, Any]) -> list[RecordedExchange]:
    for at, case in enumerate(cases):
        (tmp_path / f"{at:03}.json").write_text(json.dumps(case))
    return read_exchanges(tmp_path)


def test_a_folder_is_read_in_order_without_lists_and_side_calls(tmp_path: Path) -> None:
    found = folder_of(
        tmp_path,
        recorded("a", [user("one")]),
        recorded("list", [], kind="models"),
        recorded("title", [user("name this")], side_call=True),
        recorded("b", [user("two")], model="", provider=""),
    )
    assert [each.case.name for each in found] == ["a", "b"]
    assert [(each.provider, each.model) for each in found] == [("somewhere", "m"), ("recorded", "m")]


def test_one_file_may_hold_all_turns(tmp_path: Path) -> None:
    run = {"id": "run", "provider": "elsewhere", "turns": [recorded("a", [user("one")]), recorded("b", [user("two")])]}
    for turn in run["turns"]:
        del turn["provider"]
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert [(each.case.name, each.provider) for each in read_exchanges(tmp_path / "run.json")] == [
        ("a", "elsewhere"),
        ("b", "elsewhere"),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"family": "telegraph"}, "unknown family 'telegraph'"), ({"request": {"body": None}}, "was not recorded")],
)
def test_what_cannot_be_replayed_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        folder_of(tmp_path, recorded("a", [user("one")], **changes))
    assert "000.json" in str(refused.value)


def test_sessions_are_told_apart_and_retries_are_not(tmp_path: Path) -> None:
    first = [user("one"), calls("a"), result("a")]
    found = folder_of(
        tmp_path,
        recorded("ask", [user("one")]),
        recorded("failed", first),
        recorded("again", first),
        recorded("next", [*first, user("two")]),
        recorded("other", [user("three")]),
        recorded("same-prompt", [user("three"), calls("b"), result("b")]),
        recorded("once-more", [user("three")]),
    )
    names = [[each.case.name for each in session] for session in split_sessions(found)]
    assert names == [["ask", "failed", "again", "next"], ["other", "same-prompt"], ["once-more"]]
    assert new_prompts(split_sessions(found)[0]) == ["one", "", "", "two"]


def test_a_first_request_with_a_history_asks_its_last_prompt(tmp_path: Path) -> None:
    found = folder_of(tmp_path, recorded("a", [user("old"), user("new")]), recorded("b", [*map(user, "xyzw")]))
    assert new_prompts(found) == ["new", "z\n\nw"]


async def ask(transport: ReplayTransport, messages: list[dict[str, Any]]) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.post("http://recorded.invalid/v1/chat/completions", json={"messages": messages})


async def served(tmp_path: Path, second: list[dict[str, Any]], *, wanted: tuple[str, ...] = ("a", "b")) -> list[str]:
    """What is wrong with a second request after a first answer that made the calls a and b."""
    answered = [user("p"), calls(*wanted), *map(result, wanted)]
    found = folder_of(tmp_path, recorded("first", [user("p")], saying("", "a", "b")), recorded("second", answered))
    transport = ReplayTransport(found, chunk=3)
    first = await ask(transport, [user("p")])
    assert (first.status_code, first.content) == (200, saying("", "a", "b"))
    assert (await ask(transport, second)).content == saying("second")
    assert not transport.left
    return transport.problems


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
async def test_each_call_answered_once(order: tuple[str, ...], tmp_path: Path) -> None:
    assert await served(tmp_path, [user("p"), calls("a", "b"), *map(result, order)]) == []


@pytest.mark.parametrize(
    ("made", "answered", "said"),
    [
        (("a", "b"), ("a",), "answers the tool calls a, the recorded one a, b"),
        (("a", "b"), ("a", "b", "b"), "answers the tool calls a, b, b, the recorded one a, b"),
        (("a", "b"), (), "answers the tool calls none, the recorded one a, b"),
        (("a", "c"), ("a", "b"), "answers the tool calls a, b, but holds the calls a, c"),
        ((), ("a", "b"), "answers the tool calls a, b, but holds the calls none"),
    ],
)
async def test_what_a_strict_server_refuses(
    made: tuple[str, ...], answered: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (problem,) = await served(tmp_path, [user("p"), calls(*made), *map(result, answered)])
    assert problem.startswith("request 2 (second): it ") and said in problem


async def test_a_recorded_client_with_ids_of_its_own(tmp_path: Path) -> None:
    whole = [user("p"), calls("a", "b"), result("a"), result("b")]
    assert await served(tmp_path, whole, wanted=("own_1", "own_2")) == []
    (problem,) = await served(tmp_path, whole[:1], wanted=("own_1", "own_2"))
    assert "not all of a, b" in problem


async def test_after_the_last_answer_there_is_none(tmp_path: Path) -> None:
    transport = ReplayTransport(folder_of(tmp_path, recorded("only", [user("p")])))
    await ask(transport, [user("p")])
    extra = await ask(transport, [user("p"), user("q")])
    assert extra.status_code == 400 and "no further answer" in extra.text
    assert len(transport.requests) == 1


@pytest.mark.parametrize(("wanted", "pattern"), [("abcdef123", "[A-Za-z0-9]{9}"), ("call_REDACTED_1", "")])
async def test_a_service_known_by_its_name_gets_its_quirks(wanted: str, pattern: str, tmp_path: Path) -> None:
    found = folder_of(tmp_path, recorded("one", [user("p"), calls(wanted), result(wanted)], provider="mistral"))
    provider = recorded_provider(found, ReplayTransport(found))
    assert provider.endpoint.quirks.tool_call_id_pattern == pattern
    assert not provider.endpoint.quirks.stream_options
    assert text_of(await collect(provider)) == "one"
