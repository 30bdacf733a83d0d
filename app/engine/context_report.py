"""What the window of the next request is filled with, part by part and file by file. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from ...providers.base import ModelInfo
from ...providers.messages import (
    AssistantBlock,
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserBlock,
    UserMessage,
)
from .attached import nested_text
from .context import calibration, reserve
from .events import AttachmentKind
from .folder_instructions import told_of_folders
from .history import attached, instructed
from .sent import sent
from .state import PromptEntry, SessionState
from .token_estimate import MESSAGE_WEIGHT, block_weight, request_weight, text_weight, tools_weight

_READING = "read"


class Part(StrEnum):
    """What tokens are spent on, in the order of a request."""

    SYSTEM = "system rules"
    INSTRUCTIONS = "instructions"
    TOOLS = "tools"
    FILES = "files"
    CONVERSATION = "conversation"
    THINKING = "thinking"
    OUTPUT = "tool output"
    RESERVED = "kept for the answer"
    FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """One file or instruction, and what it costs in every request."""

    part: Part
    name: str
    tokens: int
    stale: bool = False
    """The file on disk is not as the model read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextReport:
    """The next request against its model's window, in tokens."""

    model: str
    window: int | None
    tokens: int
    """Of the whole input."""
    counted: bool
    """True when the server's own count stands behind it; what was added since is estimated."""
    parts: Mapping[Part, int]
    """Their sum is the window, or the input where the window is not known."""
    items: tuple[ContextItem, ...]
    """The most expensive first."""
    summarised: bool = False
    """A summary stands for the older part."""


_Rows: TypeAlias = dict[Part, float]


def context_report(state: SessionState, request: ChatRequest, model: ModelInfo) -> ContextReport:
    """Where the window of ``request``, the next one of ``state``, goes."""
    known = calibration(state, model.ref)
    weight = request_weight(request)
    tokens = known.tokens(weight)
    rate = tokens / weight if weight else 1.0
    named = list(_items(state, request))
    rows: _Rows = dict.fromkeys(Part, 0.0)
    standing = frozenset(each.path for each in state.instructions)
    instructions = sum(each for part, name, each in named if part is Part.INSTRUCTIONS and name in standing)
    rows[Part.INSTRUCTIONS] = instructions
    rows[Part.SYSTEM] = max(0.0, text_weight(request.whole_system) + MESSAGE_WEIGHT - instructions)
    rows[Part.TOOLS] = tools_weight(request.tools)
    along = _along_with_prompts(state)
    nested = tuple(nested_text(run.instructions) for run in state.runs if run.instructions)
    for message in request.messages:
        _add(rows, message, along, nested)
    parts = {part: round(each * rate) for part, each in rows.items()}
    if model.context_window is not None:
        left = max(0, model.context_window - tokens)
        parts[Part.RESERVED] = min(left, reserve(model, model.context_window))
        parts[Part.FREE] = left - parts[Part.RESERVED]
    stale = frozenset(state.stale_files)
    costs = [
        ContextItem(part=part, name=name, tokens=round(each * rate), stale=name in stale) for part, name, each in named
    ]
    return ContextReport(
        model=str(model.ref),
        window=model.context_window,
        tokens=tokens,
        counted=known.counted,
        parts=parts,
        items=tuple(sorted(costs, key=lambda each: -each.tokens)),
        summarised=sent(state.transcript).compacted is not None,
    )


def _add(rows: _Rows, message: Message, along: Mapping[UserBlock, Part], nested: tuple[str, ...]) -> None:
    match message:
        case ToolResultMessage():
            part = Part.FILES if message.name == _READING and not message.is_error else Part.OUTPUT
            told = text_weight(_told(message.content, nested))
            rows[Part.INSTRUCTIONS] += told
            rows[part] += MESSAGE_WEIGHT + text_weight(message.content) - told
        case UserMessage():
            rows[Part.CONVERSATION] += MESSAGE_WEIGHT
            for block in message.blocks:
                rows[along.get(block, Part.CONVERSATION)] += block_weight(block)
        case AssistantMessage():
            rows[Part.CONVERSATION] += MESSAGE_WEIGHT
            for block in message.blocks:
                rows[_part_of(block)] += block_weight(block)


def _told(content: str, nested: tuple[str, ...]) -> str:
    """What sub-folders say behind a tool's result; empty when they say nothing."""
    return next((text for text in nested if content.endswith(text)), "")


def _part_of(block: AssistantBlock) -> Part:
    match block:
        case ThinkingBlock():
            return Part.THINKING
        case ToolCallBlock():
            return Part.OUTPUT
        case _:
            return Part.CONVERSATION


def _along_with_prompts(state: SessionState) -> dict[UserBlock, Part]:
    """What is not the person's own words in their messages."""
    prompts = (entry for entry in state.transcript if isinstance(entry, PromptEntry))
    told = {block: Part.INSTRUCTIONS for entry in prompts for block in instructed(entry)}
    return told | {block: Part.FILES for _, blocks in _attachments(state) for block in blocks}


def _attachments(state: SessionState) -> Iterator[tuple[str, tuple[UserBlock, ...]]]:
    """What goes along with the prompts that are sent, under its name."""
    chosen = sent(state.transcript)
    shortened = {each.subject: each.characters for each in chosen.compacted.shortened} if chosen.compacted else {}
    for at in chosen.positions:
        entry = state.transcript[at]
        if isinstance(entry, PromptEntry):
            for number, attachment in enumerate(entry.attachments):
                only = {f"{entry.prompt_id}/0": shortened.get(f"{entry.prompt_id}/{number}", len(attachment.text))}
                command = attachment.kind is AttachmentKind.COMMAND
                blocks = attached(replace(entry, attachments=(attachment,)), only)
                yield f"! {attachment.source}" if command else attachment.source, blocks


def _items(state: SessionState, request: ChatRequest) -> Iterator[tuple[Part, str, float]]:
    """Each instruction and each file, with its weight; a file that was read more than once is one row."""
    system = text_weight(request.whole_system)
    whole = sum(text_weight(each.text) for each in state.instructions)
    share = min(1.0, 0.9 * system / whole) if whole else 0.0  # long ones go along in part only
    for each in state.instructions:
        yield Part.INSTRUCTIONS, each.path, share * text_weight(each.text)
    for each in told_of_folders(state):
        yield Part.INSTRUCTIONS, each.path, text_weight(nested_text((each,)))
    costs: dict[str, float] = {}
    nested = tuple(nested_text(run.instructions) for run in state.runs if run.instructions)
    seen = {each for message in request.messages if isinstance(message, UserMessage) for each in message.blocks}
    for name, blocks in _attachments(state):  # images do not go to a model that does not see
        going = (each for each in blocks if each in seen or not isinstance(each, ImageBlock))
        costs[name] = costs.get(name, 0.0) + sum(map(block_weight, going))
    paths = _read_paths(request)
    for message in request.messages:
        if isinstance(message, ToolResultMessage) and message.name == _READING and not message.is_error:
            name = paths.get(message.call_id, "?")
            told = text_weight(_told(message.content, nested))
            costs[name] = costs.get(name, 0.0) + text_weight(message.content) - told
    for name, cost in costs.items():
        yield Part.FILES, name, cost


def _read_paths(request: ChatRequest) -> dict[str, str]:
    """The path of each call that read a file."""
    found: dict[str, str] = {}
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            for block in message.blocks:
                if isinstance(block, ToolCallBlock) and isinstance(block.arguments, dict):
                    found[block.call_id] = str(block.arguments.get("path", "?"))
    return found
