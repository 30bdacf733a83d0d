"""What each protocol refuses in a history, written from the protocols' own rules.

Each function lays the messages out as the wire would carry them and returns the violations in words. They
share nothing with the code that repairs histories.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from patchbay.providers.messages import (
    AssistantMessage,
    ImageBlock,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)


@dataclass(frozen=True, kw_only=True)
class Target:
    provider: str
    dialect: str
    model: str
    id_pattern: str = ""


def violations(messages: Sequence[Message], target: Target) -> list[str]:
    """Every rule of the target's protocol that the history breaks."""
    return _everywhere(messages, target) + _RULES[target.dialect](messages, target)


def _everywhere(messages: Sequence[Message], target: Target) -> list[str]:
    found: list[str] = []
    if messages and not isinstance(messages[0], UserMessage):
        found.append("the first message is no user message")
    for at, message in enumerate(messages):
        if not isinstance(message, AssistantMessage):
            continue
        made_here = (message.provider, message.dialect, message.model) == (
            target.provider,
            target.dialect,
            target.model,
        )
        for block in message.blocks:
            if isinstance(block, ThinkingBlock | ServerBlock) and not made_here:
                found.append(f"message {at}: a {type(block).__name__} of another model")
            elif isinstance(block, TextBlock | ToolCallBlock) and block.provider_metadata and not made_here:
                found.append(f"message {at}: metadata of another model")
            if isinstance(block, ToolCallBlock):
                if not isinstance(block.arguments, dict):
                    found.append(f"message {at}: arguments are no object")
                if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", block.name):
                    found.append(f"message {at}: tool name {block.name!r}")
                if target.id_pattern and not re.fullmatch(target.id_pattern, block.call_id):
                    found.append(f"message {at}: id {block.call_id!r} does not match {target.id_pattern}")
        if not message.blocks:
            found.append(f"message {at}: nothing in it")
    return found


def _anthropic_messages(messages: Sequence[Message], target: Target) -> list[str]:
    """Roles are merged; results open the user turn right after their ``tool_use``; ids are unique."""
    found: list[str] = []
    turns: list[tuple[str, list[object]]] = []
    for message in messages:
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        content = [message] if isinstance(message, ToolResultMessage) else list(message.blocks)
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(content)
        else:
            turns.append((role, list(content)))
    for at, (role, content) in enumerate(turns):
        calls = [block.call_id for block in content if isinstance(block, ToolCallBlock)]
        following = turns[at + 1][1] if at + 1 < len(turns) else []
        leading = [b.call_id for b in takewhile(lambda b: isinstance(b, ToolResultMessage), following)]
        if sorted(leading) != sorted(calls):
            found.append(f"turn {at}: tool_use {calls} is followed by tool_result {leading}")
        if role == "user":
            results = [block for block in content if isinstance(block, ToolResultMessage)]
            if content[: len(results)] != results or (results and at == 0):
                found.append(f"turn {at}: tool_result is not at the start of the turn after its tool_use")
        elif isinstance(content[-1], ThinkingBlock):
            found.append(f"turn {at}: the final block of an assistant turn is thinking")
    blocks = [block for _, content in turns for block in content]
    found += [problem for block in blocks if (problem := _anthropic_block(block))]
    ids = [block.call_id for block in blocks if isinstance(block, ToolCallBlock)]
    found += [f"id {call_id!r} is used twice" for call_id in {i for i in ids if ids.count(i) > 1}]
    if turns and turns[-1][0] == "assistant" and not _is_paused(messages[-1]):
        found.append("ends with an assistant turn (prefill)")
    return found


def _anthropic_block(block: object) -> str:
    match block:
        case TextBlock(text=text) if not text.strip():
            return "text without anything but white space"
        case ThinkingBlock(redacted=False, signature=None, provider_metadata=None):
            return "thinking without a signature"
        case ToolCallBlock(call_id=call_id) if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call_id):
            return f"id {call_id!r}"
        case _:
            return ""


def _is_paused(message: Message) -> bool:
    return isinstance(message, AssistantMessage) and isinstance(message.blocks[-1], ServerBlock)


def _openai_chat(messages: Sequence[Message], target: Target) -> list[str]:
    """Every tool call is answered by tool messages before any other role; foreign ids hold 40 characters."""
    found = _answered_at_once(messages)
    for at, message in enumerate(messages):
        match message:
            case UserMessage(blocks=blocks):
                if not any(isinstance(block, ImageBlock) or block.text for block in blocks):
                    found.append(f"message {at}: content is empty")
            case AssistantMessage(blocks=blocks):
                text = "".join(block.text for block in blocks if isinstance(block, TextBlock))
                calls = [block for block in blocks if isinstance(block, ToolCallBlock)]
                servers = any(isinstance(block, ServerBlock) for block in blocks)
                if not text and not calls and not servers:
                    found.append(f"message {at}: neither content nor tool_calls")
                foreign = (message.provider, message.dialect) != (target.provider, target.dialect)
                if foreign and any(not 1 <= len(call.call_id) <= 40 for call in calls):
                    found.append(f"message {at}: an id of more than 40 characters")
                if isinstance(messages[at - 1], AssistantMessage) and not _is_paused(messages[at - 1]):
                    found.append(f"message {at}: roles do not alternate")
            case _:
                pass
    if messages and isinstance(messages[-1], AssistantMessage) and not _is_paused(messages[-1]):
        found.append("ends with an assistant message")
    return found


def _answered_at_once(messages: Sequence[Message]) -> list[str]:
    found: list[str] = []
    waiting: list[tuple[str, str]] = []
    for at, message in enumerate(messages):
        match message:
            case ToolResultMessage(call_id=call_id, name=name):
                if (call_id, name) not in waiting:
                    found.append(f"message {at}: result {call_id!r} of {name!r} answers none of {waiting}")
                else:
                    waiting.remove((call_id, name))
                continue
            case _ if waiting:
                found.append(f"message {at}: {waiting} have no result")
            case _:
                pass
        waiting = []
        if isinstance(message, AssistantMessage):
            waiting = [(block.call_id, block.name) for block in message.blocks if isinstance(block, ToolCallBlock)]
            ids = [call_id for call_id, _ in waiting]
            if len(set(ids)) != len(ids):
                found.append(f"message {at}: {ids} in one message")
            if "" in ids:
                found.append(f"message {at}: an empty id")
    if waiting:
        found.append(f"the end: {waiting} have no result")
    return found


def _openai_responses(messages: Sequence[Message], target: Target) -> list[str]:
    """Each ``function_call`` has its output, and each reasoning item is followed by an item of its answer."""
    found = _answered_at_once(messages)
    for at, message in enumerate(messages):
        if not isinstance(message, AssistantMessage):
            continue
        for block, after in zip(message.blocks, [*message.blocks[1:], None], strict=True):
            if isinstance(block, ThinkingBlock) and after is None:
                found.append(f"message {at}: reasoning without its following item")
            foreign = (message.provider, message.dialect) != (target.provider, target.dialect)
            if isinstance(block, ToolCallBlock) and foreign and not 1 <= len(block.call_id) <= 64:
                found.append(f"message {at}: call_id {block.call_id!r}")
    if messages and isinstance(messages[-1], AssistantMessage) and not _is_paused(messages[-1]):
        found.append("ends with the model's own item")
    return found


_RULES: dict[str, Callable[[Sequence[Message], Target], list[str]]] = {
    "anthropic_messages": _anthropic_messages,
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "ollama": _openai_chat,
}
