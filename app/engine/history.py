"""The conversation as a model gets it, derived from the transcript. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from ...providers.events import ResponseError, StopReason
from ...providers.messages import (
    AssistantBlock,
    AssistantMessage,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserBlock,
    UserMessage,
)
from .attached import attached_blocks, nested_text, tagged
from .sent import sent
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


def history(state: SessionState) -> tuple[Message, ...]:
    """Every message that is sent, oldest first.

    A tool call goes along only with its result: calls of a response that broke off were never run and are
    left out. Thinking of a broken response is left out too (it was never signed); its text is kept.

    What the model has to know of the person's undoing goes before the next prompt, in a block of its own that
    says that it is not the person who speaks; what was sent before keeps every byte, so that caches hold.

    After a compaction it begins with the summary, before the first prompt that is kept.
    """
    chosen = sent(state.transcript)
    shortened = chosen.shortened
    runs = {run.run_id: run for run in state.runs}
    messages: list[Message] = []
    before = () if chosen.compacted is None else (TextBlock(text=summary_text(chosen.compacted.summary)),)
    notes: list[str] = []
    for position in chosen.positions:
        match state.transcript[position]:
            case PromptEntry() as entry:
                messages.append(UserMessage(blocks=(*before, *_prompt(entry, notes, shortened))))
                notes, before = [], ()
            case NoticeEntry(note=note) if note:
                notes.append(note)
            case AnswerEntry() as entry:
                answered = answer_messages(entry, runs, shortened)
                if answered and before:  # what was asked is in the summary
                    messages.append(UserMessage(blocks=before))
                    before = ()
                messages.extend(answered)
            case _:
                continue
    if notes or before:  # nobody wrote since: the last prompt is asked again
        messages.append(UserMessage(blocks=(*before, *_notes(notes))))
    return tuple(messages)


def summary_text(summary: str) -> str:
    """The summary of the older part as the model reads it: not the person's words."""
    said = (
        "From the program, not from the user: the older part of this conversation did not fit your context window."
        f" This stands for it.\n\n{summary}"
    )
    return tagged("patchbay-summary", {}, said) + "\n"


def _prompt(entry: PromptEntry, notes: list[str], shortened: Mapping[str, int]) -> tuple[UserBlock, ...]:
    """What the program has to say, what goes along, and the words; those of the program are no block of their own."""
    along = (*attached(entry, shortened), *instructed(entry))
    if entry.by_program:
        return (*_notes([*notes, entry.note, entry.text]), *along)
    return (*_notes([*notes, entry.note]), *along, TextBlock(text=entry.text))


def attached(entry: PromptEntry, shortened: Mapping[str, int]) -> tuple[UserBlock, ...]:
    """What goes along with a prompt, as blocks."""
    return attached_blocks(
        replace(each, text=cut_middle(each.text, shortened.get(f"{entry.prompt_id}/{number}")))
        for number, each in enumerate(entry.attachments)
    )


def instructed(entry: PromptEntry) -> tuple[UserBlock, ...]:
    """What the sub-folders of the files that go along say."""
    return tuple(TextBlock(text=nested_text((file,)).lstrip("\n")) for file in entry.instructions)


def cut_middle(text: str, characters: int | None) -> str:
    """The beginning and the end of a text, with a mark between that says what is missing."""
    if characters is None or len(text) <= characters:
        return text
    head = characters * 2 // 3
    left = len(text) - characters
    tail = text[len(text) - (characters - head) :] if characters > head else ""
    return f"{text[:head]}\n[… {left:,} characters left out to fit the window; ask for that part again …]\n{tail}"


def _notes(notes: list[str]) -> tuple[TextBlock, ...]:
    said = "\n".join(note for note in notes if note)
    if not said:
        return ()
    return (TextBlock(text=tagged("patchbay-note", {}, f"From the program, not from the user: {said}") + "\n"),)


def answer_messages(entry: AnswerEntry, runs: Mapping[str, ToolRun], shortened: Mapping[str, int]) -> list[Message]:
    """An answer and the results of its calls; nothing when nothing of it can be sent."""
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
            content=cut_middle(result_text(run), shortened.get(run.run_id)),
            is_error=run.outcome != "ok",
        )
        for part in entry.parts
        if isinstance(part, ToolCallPart) and (run := runs.get(part.run_id)) is not None
    ]
    return [message, *results]


def result_text(run: ToolRun) -> str:
    """What the model gets of a run: its result, and behind it what sub-folders say of the files it touched."""
    return f"{run.content}{nested_text(run.instructions)}" if run.instructions else run.content


def _block(part: AnswerPart, runs: Mapping[str, ToolRun], *, whole: bool) -> AssistantBlock | None:
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
