"""How one event of a model's response changes the open answer. Deltas cost O(1)."""

from dataclasses import replace
from typing import assert_never

from ...providers.events import (
    Notice,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from .events import NoticeLevel, ProviderActivity
from .state import (
    AnswerEntry,
    AnswerPart,
    NoticeEntry,
    ServerPart,
    SessionState,
    StreamText,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    estimate_tokens,
)


def run_id_of(request_id: str, index: int) -> str:
    """The id of the tool run of part ``index``: unique in the session, whatever call ids the server re-uses."""
    return f"{request_id}.{index}"


def reduce_response(state: SessionState, activity: ProviderActivity, at: float) -> SessionState:
    """The state after one event of the response to ``activity.request_id``."""
    answer = state.answer
    event = activity.event
    if isinstance(event, Notice):
        entry = NoticeEntry(message=event.message, level=NoticeLevel.INFO, at=at)
        return replace(
            state, transcript=(*state.transcript, entry), revisions=state.revisions.moved(chat=1, tools=1, status=1)
        )
    if answer is None or answer.request_id != activity.request_id:
        return state
    match event:
        case TextDelta() | ThinkingDelta():
            return _grown(state, answer, event.index, event.text, at)
        case ToolCallDelta():
            return _grown(state, answer, event.index, event.arguments_json, at)
        case ResponseStart():
            return state
        case UsageUpdate():
            return replace(
                state, answer=replace(answer, usage=event.usage), revisions=state.revisions.moved(chat=1, status=1)
            )
        case ResponseEnd():
            return _closed(state, replace(answer, stop_reason=event.stop_reason, ended_at=at))
        case ResponseError():
            return _closed(state, replace(answer, error=event, ended_at=at))
        case (
            TextStart() | TextEnd() | ThinkingStart() | ThinkingEnd() | ToolCallStart() | ToolCallEnd() | OpaqueBlock()
        ):
            return _with_parts(state, answer, _edge(answer, event, at), at)
        case _:
            assert_never(event)


def _edge(
    answer: AnswerEntry,
    event: TextStart | TextEnd | ThinkingStart | ThinkingEnd | ToolCallStart | ToolCallEnd | OpaqueBlock,
    at: float,
) -> tuple[AnswerPart, ...]:
    """The parts after a block opened or closed."""
    parts = answer.parts
    match event:
        case TextStart():
            return (*parts, TextPart(index=event.index, text=StreamText()))
        case ThinkingStart():
            return (*parts, ThinkingPart(index=event.index, text=StreamText(), started_at=at))
        case ToolCallStart():
            part = ToolCallPart(
                index=event.index,
                call_id=event.call_id,
                name=event.name,
                run_id=run_id_of(answer.request_id, event.index),
                arguments_json=StreamText(),
            )
            return (*parts, part)
        case OpaqueBlock():
            return (*parts, ServerPart(index=event.index, kind=event.kind, payload=event.payload))
        case TextEnd() | ThinkingEnd() | ToolCallEnd():
            return tuple(_ended(part, event, at) if part.index == event.index else part for part in parts)
        case _:
            assert_never(event)


def _ended(part: AnswerPart, event: TextEnd | ThinkingEnd | ToolCallEnd, at: float) -> AnswerPart:
    match part, event:
        case TextPart(), TextEnd():
            return replace(part, closed=True, provider_metadata=event.provider_metadata)
        case ThinkingPart(), ThinkingEnd():
            return replace(
                part,
                closed=True,
                ended_at=at,
                signature=event.signature,
                redacted=event.redacted,
                provider_metadata=event.provider_metadata,
            )
        case ToolCallPart(), ToolCallEnd():
            return replace(
                part,
                closed=True,
                call_id=event.call_id,
                name=event.name,
                arguments=event.arguments,
                provider_metadata=event.provider_metadata,
            )
        case _:
            return part


def _grown(state: SessionState, answer: AnswerEntry, index: int, text: str, at: float) -> SessionState:
    """One delta more: only the part it belongs to is rebuilt, its text shares the chunks it had."""
    parts = answer.parts
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if part.index == index:
            break
    else:
        return state
    match part:
        case TextPart() | ThinkingPart():
            part = replace(part, text=part.text.appended(text))
        case ToolCallPart():
            part = replace(part, arguments_json=part.arguments_json.appended(text))
        case ServerPart():
            return state
    answer = replace(
        answer,
        parts=(*parts[:position], part, *parts[position + 1 :]),
        first_token_at=at if answer.first_token_at is None else answer.first_token_at,
        output_chars=answer.output_chars + len(text),
    )
    return replace(state, answer=answer, revisions=state.revisions.moved(chat=1, status=1))


def _with_parts(state: SessionState, answer: AnswerEntry, parts: tuple[AnswerPart, ...], at: float) -> SessionState:
    first = at if answer.first_token_at is None else answer.first_token_at
    return replace(
        state,
        answer=replace(answer, parts=parts, first_token_at=first),
        revisions=state.revisions.moved(chat=1, status=1),
    )


def _closed(state: SessionState, answer: AnswerEntry) -> SessionState:
    """The answer moves into the transcript; the context meter follows the server's own count where it gave one."""
    answer = replace(answer, parts=tuple(_shut(part, answer.ended_at) for part in answer.parts))
    tokens, estimated = context_after(answer)
    if tokens is None:
        tokens, estimated = state.context_tokens, state.context_estimated
    return replace(
        state,
        answer=None,
        transcript=(*state.transcript, answer),
        context_tokens=tokens,
        context_estimated=estimated,
        revisions=state.revisions.moved(chat=1, status=1),
    )


def _shut(part: AnswerPart, at: float | None) -> AnswerPart:
    """A part that was still open when the response ended; a call cut short stays without arguments and never runs."""
    match part:
        case TextPart(closed=False) | ToolCallPart(closed=False):
            return replace(part, closed=True)
        case ThinkingPart(closed=False):
            return replace(part, closed=True, ended_at=at)
        case _:
            return part


def context_after(answer: AnswerEntry) -> tuple[int | None, bool]:
    """Tokens of the window in use after this answer, and whether that is an estimate."""
    usage: Usage = answer.usage
    if usage.input_tokens is None and usage.cache_read_tokens is None:
        if answer.error is not None and not answer.parts:
            return None, False
        return answer.estimated_input_tokens + estimate_tokens(answer.output_chars), True
    return usage.prompt_tokens + (usage.output_tokens or 0), False
