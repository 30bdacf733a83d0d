"""The conversation as a model gets it, derived from the transcript. Pure."""

from ...providers.events import ResponseError, StopReason
from ...providers.messages import (
    AssistantBlock,
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserBlock,
    UserMessage,
)
from .attached import attached_blocks
from .state import (
    AnswerEntry,
    AnswerPart,
    NoticeEntry,
    PromptEntry,
    ServerPart,
    SessionState,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolRun,
)

IMAGE_CHARS = 5000
"""An image costs about as many tokens as this much text; providers differ by size and model."""


def history(state: SessionState) -> tuple[Message, ...]:
    """Every message of the session, oldest first.

    A tool call goes along only with its result: calls of a response that broke off were never run and are
    left out. Thinking of a broken response is left out too (it was never signed); its text is kept.

    What the model has to know of the person's undoing goes before the next prompt, in a block of its own that
    says that it is not the person who speaks; what was sent before keeps every byte, so that caches hold.
    """
    runs = {run.run_id: run for run in state.runs}
    messages: list[Message] = []
    notes: list[str] = []
    for entry in state.transcript:
        match entry:
            case PromptEntry():
                before = (*_notes([*notes, entry.note]), *attached_blocks(entry.attachments))
                messages.append(UserMessage(blocks=(*before, TextBlock(text=entry.text))))
                notes = []
            case NoticeEntry(note=note) if note:
                notes.append(note)
            case AnswerEntry():
                messages.extend(_answer(entry, runs))
            case _:
                continue
    if notes:  # nobody wrote since: the last prompt is asked again
        messages.append(UserMessage(blocks=_notes(notes)))
    return tuple(messages)


def _notes(notes: list[str]) -> tuple[TextBlock, ...]:
    said = "\n".join(note for note in notes if note)
    if not said:
        return ()
    return (TextBlock(text=f"<patchbay-note>\nFrom the program, not from the user: {said}\n</patchbay-note>\n"),)


def _answer(entry: AnswerEntry, runs: dict[str, ToolRun]) -> list[Message]:
    whole = entry.error is None and entry.stop_reason is not StopReason.CANCELLED
    blocks = [block for part in entry.parts if (block := _block(part, runs, whole=whole)) is not None]
    if not blocks:
        return []
    message = AssistantMessage(
        blocks=tuple(blocks), provider=entry.ref.provider, dialect=entry.dialect, model=entry.ref.model
    )
    results: list[Message] = [
        ToolResultMessage(
            call_id=part.call_id,
            name=part.name,
            content=run.content,
            is_error=run.outcome != "ok",
        )
        for part in entry.parts
        if isinstance(part, ToolCallPart) and (run := runs.get(part.run_id)) is not None
    ]
    return [message, *results]


def _block(part: AnswerPart, runs: dict[str, ToolRun], *, whole: bool) -> AssistantBlock | None:
    match part:
        case TextPart():
            text = str(part.text)
            return TextBlock(text=text, provider_metadata=part.provider_metadata) if text else None
        case ThinkingPart() if whole:
            return ThinkingBlock(
                text=str(part.text),
                signature=part.signature,
                redacted=part.redacted,
                provider_metadata=part.provider_metadata,
            )
        case ToolCallPart() if part.run_id in runs and part.arguments is not None:
            return ToolCallBlock(
                call_id=part.call_id,
                name=part.name,
                arguments=part.arguments,
                provider_metadata=part.provider_metadata,
            )
        case ServerPart() if whole:
            return ServerBlock(kind=part.kind, payload=part.payload)
        case _:
            return None


def request_chars(request: ChatRequest) -> int:
    """Characters a model has to read for this request: the base of the input estimate."""
    tools = sum(len(tool.name) + len(tool.description) + len(str(tool.parameters)) for tool in request.tools)
    return len(request.whole_system) + tools + sum(map(_message_chars, request.messages))


def _message_chars(message: Message) -> int:
    match message:
        case ToolResultMessage():
            return len(message.content)
        case UserMessage() | AssistantMessage():
            return sum(map(_block_chars, message.blocks))


def _block_chars(block: UserBlock | AssistantBlock) -> int:
    match block:
        case TextBlock() | ThinkingBlock():
            return len(block.text)
        case ToolCallBlock():
            return len(block.name) + len(str(block.arguments))
        case ServerBlock():
            return len(str(block.payload))
        case ImageBlock():
            return IMAGE_CHARS


def paused(state: SessionState) -> bool:
    """True when the newest answer is one the server paused: it goes back unchanged and the model goes on."""
    answers = (entry for entry in reversed(state.transcript) if isinstance(entry, AnswerEntry | PromptEntry))
    newest = next(answers, None)
    return isinstance(newest, AnswerEntry) and newest.stop_reason is StopReason.PAUSE_TURN


def needs_answer(state: SessionState) -> bool:
    """True when the newest prompt or tool result has no whole answer yet: what ``retry`` continues."""
    for entry in reversed(state.transcript):
        match entry:
            case PromptEntry():
                return True
            case AnswerEntry():
                broken = isinstance(entry.error, ResponseError) or entry.stop_reason is StopReason.CANCELLED
                called = any(isinstance(part, ToolCallPart) for part in entry.parts)
                return broken or called
            case _:
                continue
    return False
