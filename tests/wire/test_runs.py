"""Recorded agent runs of real services, run again through the session, the tools and the dialects a person would use.

The server in the transport is strict about tool results (see ``providers.replaying``). What a service wants back of an
answer's thinking is looked for in our next request, and compared with what the recorded client sent.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.cli.replay import Replayed, replay
from patchbay.providers.replaying import RecordedExchange, read_exchanges, split_sessions

CASES = os.environ.get("PATCHBAY_CASES", "")
RUNS = sorted((Path(CASES) / "wire" / "runs").glob("*.json")) if CASES else []

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with recorded runs"),
]


def replayed(run: Path, folder: Path, chunk: int = 0) -> Iterator[tuple[list[RecordedExchange], Replayed]]:
    for session in split_sessions(read_exchanges(run)):
        yield session, asyncio.run(replay(session, folder=folder, state_folder=folder / ".state", chunk=chunk))


def sent_back(request: dict[str, Any]) -> list[Any]:
    """What a request gives back of signed, encrypted or plain thinking and of a server's own blocks, in order."""
    return [
        *(each for message in request.get("messages", []) for each in _of_message(message)),
        *(each for item in _items(request) if (each := _of_item(item)) is not None),
    ]


def _of_message(message: dict[str, Any]) -> Iterator[Any]:
    if message["role"] != "assistant":
        return
    details = message.get("reasoning_details")
    plain = message.get("reasoning_content") or message.get("reasoning") or message.get("thinking")
    if details:
        yield [_detail(each) for each in details]
    elif plain:
        yield plain.strip()
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if block.get("type") not in ("text", "tool_use"):
            yield {name: value for name, value in block.items() if name != "cache_control"}


def _detail(detail: dict[str, Any]) -> Any:
    """What a detail cannot do without: its signature or encrypted content; the text of one that has neither."""
    return detail.get("signature") or detail.get("data") or detail["text"].strip()


def _items(request: dict[str, Any]) -> list[dict[str, Any]]:
    asked = request.get("input")
    return asked if isinstance(asked, list) else []


def _of_item(item: dict[str, Any]) -> Any:
    """Reasoning without encrypted content is only known to a server that stores it, which we never ask for."""
    return (item["encrypted_content"], item["summary"]) if item.get("encrypted_content") else None


def wants_back(recorded: Any, ours: list[Any]) -> bool:
    """Whether ours holds what the recorded client sent; one recorded client lost the first word of a thought."""
    return any(each == recorded or _plain_end(each, recorded) for each in ours)


def _plain_end(ours: Any, recorded: Any) -> bool:
    match ours, recorded:
        case [str(whole)], [str(end)]:
            return bool(end) and whole.endswith(end)
        case _:
            return False


def test_there_are_runs() -> None:
    assert RUNS


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.stem[:60])
def test_run(run: Path, tmp_path: Path) -> None:
    for recorded, done in replayed(run, tmp_path):
        assert done.problems == []
        for exchange, request in zip(recorded, done.transport.requests, strict=True):
            ours = sent_back(request)
            missing = [each for each in sent_back(exchange.request) if not wants_back(each, ours)]
            assert missing == [], f"{exchange.case.name} wants back what is not in {ours}"


def test_thinking_of_every_kind_is_among_them() -> None:
    """The comparison above is worth nothing if nothing is compared."""
    kinds = {
        (exchange.case.dialect, type(each).__name__)
        for run in RUNS
        for exchange in read_exchanges(run)
        for each in sent_back(exchange.request)
    }
    assert kinds >= {
        ("anthropic_messages", "dict"),
        ("openai_chat", "str"),
        ("openai_chat", "list"),
        ("openai_responses", "tuple"),
        ("ollama", "str"),
    }


def test_in_pieces_nothing_changes(tmp_path: Path) -> None:
    for run in RUNS[::4]:
        whole = [done.transport.requests for _, done in replayed(run, tmp_path)]
        pieces = [done.transport.requests for _, done in replayed(run, tmp_path, chunk=7)]
        assert pieces == whole, run.name
