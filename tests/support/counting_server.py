"""A model server on loopback that counts tokens in its own way and keeps a prompt cache: what forecasts are held to.

It speaks Chat Completions and Messages. Every string of system prompt, tools and messages counts, so many characters a
token; what a model was sent before, word for word from the beginning, is cached.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHARS_PER_TOKEN = 3.3


@dataclass
class Counting:
    """Where it is, what it said it counted, and what it answers: the script is used up, then only text comes."""

    base_url: str = ""
    script: list[dict[str, Any]] = field(default_factory=list)
    """Tool calls, as ``{"name": ..., "arguments": {...}}``; an empty one is a text answer."""
    words: str = "That is what I found in the file, and there is nothing more to say about it. " * 8
    reported: list[dict[str, int]] = field(default_factory=list)
    """``fresh``, ``read``, ``written`` and ``output`` tokens of each answer."""
    seen: dict[str, str] = field(default_factory=dict)

    def count(self, body: dict[str, Any]) -> tuple[int, int]:
        """Tokens of the whole prompt, and of what of it is cached."""
        parts = [body.get("tools"), body.get("system"), *body["messages"]]
        text = "".join(_strings(parts))
        before, self.seen[body["model"]] = self.seen.get(body["model"], ""), text
        same = next((at for at, (one, other) in enumerate(zip(text, before, strict=False)) if one != other), None)
        cached = min(len(text), len(before)) if same is None else same
        return round(len(text) / CHARS_PER_TOKEN), int(cached / CHARS_PER_TOKEN) // 128 * 128

    def next(self) -> dict[str, Any]:
        """The next tool call, or nothing."""
        return self.script.pop(0) if self.script else {}


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _strings(item)
        case dict():
            for name, item in value.items():
                if name not in ("type", "role", "cache_control", "id", "tool_use_id", "tool_call_id"):
                    yield name
                    yield from _strings(item)
        case _:
            pass


def _chat(server: Counting, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    total, cached = server.count(body)
    call = server.next()
    said = json.dumps(call.get("arguments")) if call else server.words
    output = round(len(said) / CHARS_PER_TOKEN)
    server.reported.append({"fresh": total - cached, "read": cached, "written": 0, "output": output})
    delta: dict[str, Any] = {"role": "assistant", "content": said}
    if call:
        function = {"name": call["name"], "arguments": said}
        delta = {"tool_calls": [{"index": 0, "id": f"call_{total}", "type": "function", "function": function}]}
    yield _chunk([{"index": 0, "delta": delta, "finish_reason": None}])
    yield _chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if call else "stop"}])
    details = {"cached_tokens": cached}
    yield _chunk([]) | {
        "usage": {"prompt_tokens": total, "completion_tokens": output, "prompt_tokens_details": details}
    }


def _chunk(choices: list[Any]) -> dict[str, Any]:
    return {"id": "c", "model": "m", "object": "chat.completion.chunk", "choices": choices}


def _messages(server: Counting, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    total, cached = server.count(body)
    call = server.next()
    said = json.dumps(call.get("arguments")) if call else server.words
    output = round(len(said) / CHARS_PER_TOKEN)
    fresh = min(4, total - cached)
    server.reported.append({"fresh": fresh, "read": cached, "written": total - cached - fresh, "output": output})
    usage = {
        "input_tokens": fresh,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": total - cached - fresh,
        "output_tokens": 1,
    }
    message = {"id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    yield {"type": "message_start", "message": message | {"stop_reason": None, "usage": usage}}
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta: dict[str, Any] = {"type": "text_delta", "text": said}
    if call:
        block = {"type": "tool_use", "id": f"toolu_{total}", "name": call["name"], "input": {}}
        delta = {"type": "input_json_delta", "partial_json": said}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    reason = "tool_use" if call else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": output}}
    yield {"type": "message_stop"}


@contextmanager
def counting_server(*script: dict[str, Any]) -> Iterator[Counting]:
    """Serve until the block is left."""
    state = Counting(script=list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chat = self.path.endswith("/chat/completions")
            events = list(_chat(state, body) if chat else _messages(state, body))
            names = [""] * len(events) if chat else [f"event: {event['type']}\n" for event in events]
            lines = [f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)]
            content = "".join([*lines, "data: [DONE]\n\n" if chat else ""]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            content = json.dumps({"object": "list", "data": [], "has_more": False}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
