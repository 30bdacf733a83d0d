"""A chat-completions server on loopback that answers from a script: for tests that run the whole program."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ChatServer:
    """Where it is, and what it was asked. ``replies`` are used up in order; the last one is repeated."""

    base_url: str
    replies: list[tuple[int, str, str]]
    """Status, content type, body."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What its list of models says of its only one, beside its name."""


def streamed(*chunks: dict[str, Any]) -> tuple[int, str, str]:
    """A stream of chunks and the end mark."""
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return 200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"])


def saying(text: str, prompt_tokens: int = 10, completion_tokens: int = 5) -> tuple[int, str, str]:
    """An answer in two pieces, with usage."""
    half = len(text) // 2
    return streamed(
        _chunk({"role": "assistant", "content": text[:half]}),
        _chunk({"content": text[half:]}),
        _chunk({}, finish="stop"),
        _usage(prompt_tokens, completion_tokens),
    )


def calling(
    name: str, arguments: dict[str, Any], prompt_tokens: int = 10, completion_tokens: int = 5
) -> tuple[int, str, str]:
    """An answer that calls one tool."""
    call = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
    return streamed(
        _chunk({"tool_calls": [call]}), _chunk({}, finish="tool_calls"), _usage(prompt_tokens, completion_tokens)
    )


def failing(status: int, message: str) -> tuple[int, str, str]:
    """An error as such servers send it."""
    return status, "application/json", json.dumps({"error": {"message": message, "type": "error"}})


@contextmanager
def chat_server(*replies: tuple[int, str, str]) -> Iterator[ChatServer]:
    """Serve the replies until the block is left."""
    script = ChatServer(base_url="", replies=list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            self._reply(
                200 if known else 404,
                "application/json",
                json.dumps({"data": [{"id": "m"} | script.facts]} if known else {}),
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.requests.append(json.loads(body))
            script.headers.append({name.lower(): value for name, value in self.headers.items()})
            self._reply(*(script.replies.pop(0) if len(script.replies) > 1 else script.replies[0]))

        def _reply(self, status: int, content_type: str, body: str) -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"id": "c1", "model": "m", "choices": [], "usage": counts}
