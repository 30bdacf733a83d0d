"""A made-up model server in a transport, in all four dialects. It keeps no state: the request decides what it says.

A prompt like ``job 7: 2 steps`` is answered with two tool calls, one after the other, and then with words. The step is
told by the tool results that came since the prompt, so a history that lost one makes it call the same tool again.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

DIALECT_PATHS = {
    "anthropic_messages": "/v1/messages",
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "ollama": "/api/chat",
}
_JOB = re.compile(r"job (\d+): (\d+) steps")
_PIECES = 3


class MadeUpServer(httpx.AsyncBaseTransport):
    """Answers any of the four dialects by the path that is asked."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        dialect = next(name for name, path in DIALECT_PATHS.items() if request.url.path.endswith(path))
        words, call = _next_step(list(_turns(asked)))
        match dialect:
            case "anthropic_messages":
                body = _named(_anthropic(words, call))
            case "openai_chat":
                body = _chat(words, call)
            case "openai_responses":
                body = _named(_responses(words, call))
            case _:
                body = _ollama(words, call)
        kind = "application/x-ndjson" if dialect == "ollama" else "text/event-stream"
        return httpx.Response(200, headers={"content-type": kind}, content=body.encode())


def _next_step(turns: list[tuple[str, str]]) -> tuple[list[str], dict[str, Any] | None]:
    """Words in pieces, and the call that follows them."""
    job, steps, done = "0", 0, 0
    for role, text in turns:
        if found := _JOB.search(text) if role == "user" else None:
            job, steps, done = found.group(1), int(found.group(2)), 0
        done += role == "tool"
    place = f"{job}.{done if done < steps else 'end'}"
    pieces = [f"({place}:{piece})" for piece in range(_PIECES)]
    if done >= steps:
        return pieces, None
    return pieces, {"id": f"call_{job}_{done}", "name": "write", "arguments": {"key": place}}


def _turns(asked: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """``user`` and ``tool`` entries of a request in any dialect, with their text."""
    for message in asked.get("messages", asked.get("input", [])):
        content = message.get("content", "")
        match message:
            case {"type": "function_call_output"} | {"role": "tool"}:
                yield "tool", ""
            case {"role": "user"} if isinstance(content, str):
                yield "user", content
            case {"role": "user"}:
                for part in content:
                    yield ("tool", "") if part["type"] == "tool_result" else ("user", part.get("text", ""))
            case _:
                pass


def _named(events: Iterator[dict[str, Any]]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _anthropic(words: list[str], call: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": 10, "output_tokens": 1}
    yield {"type": "message_start", "message": {"id": "msg_1", "model": "m", "role": "assistant", "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    if call:
        start = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}
        yield {"type": "content_block_start", "index": 1, "content_block": start}
        for piece in _halves(call):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": 1, "delta": delta}
        yield {"type": "content_block_stop", "index": 1}
    reason = "tool_use" if call else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def _chat(words: list[str], call: dict[str, Any] | None) -> str:
    deltas: list[dict[str, Any]] = [{"content": word} for word in words]
    if call:
        first, second = _halves(call)
        function = {"name": call["name"], "arguments": first}
        deltas.append({"tool_calls": [{"index": 0, "id": call["id"], "type": "function", "function": function}]})
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": second}}]})
    chunks = [{"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    reason = "tool_calls" if call else "stop"
    chunks.append({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({"id": "c", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def _responses(words: list[str], call: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress"}}
    part = {"type": "output_text", "text": "".join(words), "annotations": []}
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
    items: list[dict[str, Any]] = [message]
    yield {"type": "response.output_item.added", "output_index": 0, "item": message | {"content": []}}
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": part | {"text": ""}}
    for word in words:
        yield {"type": "response.output_text.delta", **place, "delta": word}
    yield {"type": "response.output_text.done", **place, "text": part["text"]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": message}
    if call:
        arguments = json.dumps(call["arguments"])
        item = {"type": "function_call", "id": "f1", "call_id": call["id"], "name": call["name"]}
        items.append(item | {"arguments": arguments, "status": "completed"})
        yield {"type": "response.output_item.added", "output_index": 1, "item": item | {"arguments": ""}}
        for piece in _halves(call):
            yield {
                "type": "response.function_call_arguments.delta",
                "item_id": "f1",
                "output_index": 1,
                "delta": piece,
            }
        yield {"type": "response.output_item.done", "output_index": 1, "item": items[1]}
    usage = {"input_tokens": 10, "output_tokens": 5}
    yield {
        "type": "response.completed",
        "response": {"id": "r", "status": "completed", "output": items, "usage": usage},
    }


def _ollama(words: list[str], call: dict[str, Any] | None) -> str:
    messages: list[dict[str, Any]] = [{"role": "assistant", "content": word} for word in words]
    if call:
        function = {"name": call["name"], "arguments": call["arguments"]}
        messages.append({"role": "assistant", "content": "", "tool_calls": [{"id": call["id"], "function": function}]})
    rows = [{"model": "m", "message": message, "done": False} for message in messages]
    last = {"role": "assistant", "content": ""}
    counts = {"prompt_eval_count": 10, "eval_count": 5}
    rows.append({"model": "m", "message": last, "done": True, "done_reason": "stop", **counts})
    return "".join(json.dumps(row) + "\n" for row in rows)


def _halves(call: dict[str, Any]) -> tuple[str, str]:
    text = json.dumps(call["arguments"])
    return text[: len(text) // 2], text[len(text) // 2 :]
