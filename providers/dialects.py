"""The wire protocols Patchbay speaks, by the name settings and presets use."""

from .anthropic_messages import AnthropicMessages
from .http import DialectProvider
from .ollama import Ollama
from .openai_chat import OpenAIChat
from .openai_responses import OpenAIResponses

DIALECTS: dict[str, type[DialectProvider]] = {
    "anthropic_messages": AnthropicMessages,
    "ollama": Ollama,
    "openai_chat": OpenAIChat,
    "openai_responses": OpenAIResponses,
}
"""Each is made as ``DIALECTS[name](endpoint, transport=None, log=None)``; a new one is one file and a line here."""
