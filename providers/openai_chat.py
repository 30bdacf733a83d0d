"""OpenAI Chat Completions."""

from .http import DialectProvider


class OpenAIChat(DialectProvider):
    """OpenAI Chat Completions."""
