"""Anthropic Messages."""

from .http import DialectProvider


class AnthropicMessages(DialectProvider):
    """Anthropic Messages."""
