"""How many tokens a text or a request is, without a tokenizer.

Text is cut the way tokenizers cut it (parts of words, digits, signs, indentation), which is within a tenth of a real
count over prose, code, JSON and logs, where a fixed number of characters a token is wrong by half. Everything here
is a *weight*: ``context`` turns weights into tokens of a model once its server has counted a request.
"""

import re
from collections.abc import Iterable

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
    ToolSpec,
    UserBlock,
    UserMessage,
)

IMAGE_WEIGHT = 1300
"""An image of usual size; providers differ by size and model."""
MESSAGE_WEIGHT = 5
"""What a chat template puts around a message."""
TOOLS_WEIGHT = 80
"""What a chat template says of tools before it lists them."""
TOOL_WEIGHT = 20
"""The JSON around a tool's name, description and parameters."""
CALL_WEIGHT = 16
"""The JSON around a call's name and arguments."""

_PIECE = re.compile(r"[A-Za-z]{1,7}|[0-9]|[^\x00-\x7f]|[^\sA-Za-z0-9]{1,2}|\n+|[ \t]{2,}")
_WHOLE = 30_000
"""Longer texts are judged by samples: nothing here may hold up the screen."""
_SAMPLE = 10_000
_KEPT = 20_000
_known: dict[tuple[int, int], int] = {}
"""Weights of texts seen, by length and hash: a conversation is weighed again with each request."""


def text_weight(text: str) -> int:
    """About how many tokens a text is."""
    if not text:
        return 0
    key = len(text), hash(text)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _KEPT:
            _known.clear()
        found = _known[key] = _weight(text)
    return found


def _weight(text: str) -> int:
    if len(text) <= _WHOLE:
        return len(_PIECE.findall(text))
    starts = (0, (len(text) - _SAMPLE) // 2, len(text) - _SAMPLE)
    sampled = sum(len(_PIECE.findall(text, start, start + _SAMPLE)) for start in starts)
    return round(sampled * len(text) / (3 * _SAMPLE))


def request_weight(request: ChatRequest) -> int:
    """About how many input tokens a request is."""
    system = text_weight(request.whole_system)
    return system + (MESSAGE_WEIGHT if system else 0) + tools_weight(request.tools) + messages_weight(request.messages)


def tools_weight(tools: Iterable[ToolSpec]) -> int:
    """About how many tokens the descriptions of tools are."""
    weights = [tool_weight(tool) for tool in tools]
    return sum(weights) + (TOOLS_WEIGHT if weights else 0)


def tool_weight(tool: ToolSpec) -> int:
    """About how many tokens one tool's description and schema are."""
    return TOOL_WEIGHT + text_weight(tool.name) + text_weight(tool.description) + text_weight(str(tool.parameters))


def messages_weight(messages: Iterable[Message]) -> int:
    """About how many tokens messages are, with what a template puts around them."""
    return sum(map(message_weight, messages))


def message_weight(message: Message) -> int:
    """About how many tokens one message is."""
    match message:
        case ToolResultMessage():
            return MESSAGE_WEIGHT + text_weight(message.content)
        case UserMessage() | AssistantMessage():
            return MESSAGE_WEIGHT + sum(map(block_weight, message.blocks))


def block_weight(block: UserBlock | AssistantBlock) -> int:
    """About how many tokens one block is."""
    match block:
        case TextBlock() | ThinkingBlock():
            return text_weight(block.text)
        case ToolCallBlock():
            return CALL_WEIGHT + text_weight(block.name) + text_weight(str(block.arguments))
        case ServerBlock():
            return text_weight(str(block.payload))
        case ImageBlock():
            return IMAGE_WEIGHT
