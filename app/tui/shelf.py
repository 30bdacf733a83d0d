"""What the switcher asks about models beside the session: favourites, recent ones, and how they have done."""

from dataclasses import dataclass
from typing import Protocol

from ...providers.base import ModelRef
from ..engine.preview import Preview
from ..engine.spent import ModelRecord


class ModelShelf(Protocol):
    """The models of a person. All but ``favourites`` may take a while: ask in a thread."""

    @property
    def favourites(self) -> tuple[ModelRef, ...]:
        """The models the person marked, in the order they did."""
        ...

    def toggle(self, ref: ModelRef) -> bool:
        """Mark a model, or no longer; returns whether it is marked now. Raises OSError when that cannot be kept."""
        ...

    def recents(self) -> tuple[ModelRef, ...]:
        """The models that answered last, newest first."""
        ...

    def record(self, ref: ModelRef) -> ModelRecord | None:
        """How a model has done lately; None when nothing is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was worked out of a model."""

    preview: Preview
    """What going on with it means for the session."""
    record: ModelRecord | None
    """How it has done lately; None when nothing is known."""


class EmptyShelf:
    """Nothing is kept."""

    favourites: tuple[ModelRef, ...] = ()

    def toggle(self, ref: ModelRef) -> bool:
        """Nothing is marked."""
        del ref
        return False

    def recents(self) -> tuple[ModelRef, ...]:
        """There are none."""
        return ()

    def record(self, ref: ModelRef) -> ModelRecord | None:
        """Nothing is known."""
        del ref
