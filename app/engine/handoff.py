"""Hand-off: what makes a history valid for the model that gets it next, as the engine sees it."""

from dataclasses import dataclass
from typing import Protocol

from ...providers.base import ModelRef
from ...providers.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A history made valid for its target, and what was changed, in words."""

    messages: tuple[Message, ...]
    changes: tuple[str, ...]


class Prepare(Protocol):
    """Hand-off: rewrites a history for a target."""

    def __call__(self, messages: tuple[Message, ...], ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
        """The history made valid. ``continuation``: the model paused its own turn and goes on with it.

        Raises ``ProviderConfigError`` when the target's rules can never be met.
        """
        ...
