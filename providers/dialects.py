"""The wire protocols Patchbay speaks, by the name settings and presets use."""

from .anthropic_messages import AnthropicMessages
from .http import DialectProvider
from .openai_chat import OpenAIChat

DIALECTS: dict[str, type[DialectProvider]] = {
    "anthropic_messages": AnthropicMessages,
    "openai_chat": OpenAIChat,
}
"""Each is made as ``DIALECTS[name](endpoint, transport=None)``; a new dialect is one file and one line here."""
