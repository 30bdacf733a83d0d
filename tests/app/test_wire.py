"""``patchbay wire decode``: recorded replies in, one JSON line each out."""

import json
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.wire import decode_command

CHUNKS = [
    {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"content": "Grüße 🎉", "reasoning": "Hm"}}]},
    {
        "id": "r",
        "choices": [
            {
                "index": 0,
                "delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "read", "arguments": '{"p":'}}]},
            }
        ],
    },
    {
        "id": "r",
        "choices": [
            {
                "index": 0,
                "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "cost": 0.000012, "cached_tokens": 2},
    },
]
CHAT = ": hello\n\n" + "".join(f"data: {json.dumps(each)}\n\n" for each in CHUNKS) + "data: [DONE]\n\n"


def case(body: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "family": "openai_chat",
        "kind": "stream",
        "status": 200,
        "content_type": "text/event-stream",
        "response_headers": {},
        "body": body,
    } | changes


def written(folder: Path, name: str, content: dict[str, Any]) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def rows(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    assert decode_command([*arguments]) == status
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("options", [[], ["--chunk", "1"], ["--chunk", "7"], ["--crlf"], ["--crlf", "--chunk", "1"]])
def test_a_line_says_all(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, *options, written(tmp_path, "a.json", case(CHAT)))
    assert row == {
        "id": "one",
        "text": "Grüße 🎉",
        "thinking": "Hm",
        "tool_calls": [{"id": "c1", "name": "read", "arguments": {"p": 1}, "arguments_raw": '{"p":1}'}],
        "usage": {
            "input_tokens": 7,
            "cache_read_tokens": 2,
            "cache_write_tokens": None,
            "output_tokens": 4,
            "thinking_tokens": None,
            "reported_cost": "0.000012",
        },
        "stop_reason": "tool_calls",
        "raw_stop_reason": "tool_calls",
        "error": None,
        "events": 13,
    }


def test_errors_and_their_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = case(
        {"error": {"message": "Slow down"}}, status=429, response_headers={"Retry-After": "4"}, content_type="x/y"
    )
    (row,) = rows(capsys, written(tmp_path, "a.json", refused))
    assert row["error"] == {
        "kind": "rate_limit",
        "message": "recorded (429) limits the rate of requests: Slow down. Wait, or switch to another provider.",
        "status": 429,
        "retryable": True,
        "retry_after": 4.0,
    }
    assert (row["stop_reason"], row["events"]) == (None, 1)


@pytest.mark.parametrize(
    ("raw", "shown"), [("", {}), ("{}", {}), ("null", None), ('{"p":', None), ("[1]", None), ('{"p": NaN}', None)]
)
def test_arguments_that_are_no_object(
    raw: str, shown: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "t", "arguments": raw}}
    body = f"data: {json.dumps({'choices': [{'delta': {'tool_calls': [call]}, 'finish_reason': 'length'}]})}\n\n"
    (row,) = rows(capsys, written(tmp_path, "a.json", case(body)))
    assert row["tool_calls"] == [{"id": "c", "name": "t", "arguments": shown, "arguments_raw": raw}]


@pytest.mark.parametrize("changes", [{"kind": "models"}, {"family": "telegraph"}, {"body": '{"data": [{"id": "m"}]}'}])
def test_what_is_no_answer_is_a_protocol_error(
    changes: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = rows(capsys, written(tmp_path, "a.json", case("{}") | changes))
    assert row["error"]["kind"] == "protocol"


def test_headers_about_the_bytes_are_not_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    headers = {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked", "Content-Length": "3", "Content-Type": "a/b"}
    (row,) = rows(capsys, written(tmp_path, "a.json", case(CHAT, response_headers=headers)))
    assert row["error"] is None


def test_folders_are_walked_and_unreadable_files_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b/2.json", "a.json", "b/c/3.json", "notes.txt"):
        written(tmp_path / "cases", name, case(CHAT, id=name))
    written(tmp_path / "cases", "unnamed.json", case(CHAT, id=None))
    found = rows(capsys, str(tmp_path / "cases"))
    assert [row["id"] for row in found] == ["a.json", "b/2.json", "b/c/3.json", "unnamed"]

    broken = tmp_path / "broken.json"
    broken.write_text("[]", encoding="utf-8")
    missing = str(tmp_path / "missing.json")
    assert decode_command([str(broken), missing, str(tmp_path / "cases" / "a.json")]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "broken.json: no JSON object" in captured.err and "missing.json" in captured.err


@pytest.mark.parametrize("arguments", [[], ["--chunk", "-1", "x"], ["--chunk", "x", "y"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        decode_command(arguments)
    assert stopped.value.code == 2
