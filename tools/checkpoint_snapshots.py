"""What is at a path at one moment, as a value: enough to tell whether it changed, and to put it back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

ANY_MODE = -1
"""Equal to every mode: of a file that is planned, but not made yet."""


class Kind(StrEnum):
    """What can be at a path."""

    ABSENT = "absent"
    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"
    """A pipe, socket or device: never read, never put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One path at one moment. Contents are in the object store, by digest."""

    kind: Kind
    mode: int = 0
    """Permission bits of files and folders; ``ANY_MODE`` when they are not known yet."""
    digest: str = ""
    """Of a file's content; empty when the content is not kept."""
    size: int = 0
    """Bytes of a file."""
    target: str = ""
    """Where a symbolic link points to, as it is written in the link."""
    link: int = 0
    """The same number for the names of one file (hard links); 0 for a file with one name."""
    stamp: str = ""
    """Tells versions of a file apart whose content is not kept."""
    why: str = ""
    """Why the content is not kept, in a few words."""

    @property
    def restorable(self) -> bool:
        """Whether this can be put back."""
        return self.kind is not Kind.OTHER and (self.kind is not Kind.FILE or bool(self.digest))

    def same_as(self, other: "Snapshot") -> bool:
        """Whether a person would say that nothing changed: names of the same file may come and go."""
        return (
            self.kind is other.kind
            and (self.mode == other.mode or ANY_MODE in (self.mode, other.mode))
            and self.digest == other.digest
            and self.target == other.target
            and (bool(self.digest) or (self.size == other.size and self.stamp == other.stamp))
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON object without the fields that say nothing."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Snapshot":
        """What ``to_json`` made. Raises KeyError, TypeError or ValueError for anything else."""
        values: dict[str, Any] = {**given, "kind": Kind(given["kind"])}
        return cls(**values)


ABSENT = Snapshot(kind=Kind.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one tool run did to one path."""

    path: str
    """Relative to the workspace with forward slashes when inside it, else absolute; undecodable bytes as PEP 383."""
    before: Snapshot
    after: Snapshot

    @property
    def covered(self) -> bool:
        """Whether it can be undone and redone."""
        return self.before.restorable and self.after.restorable

    @property
    def why_not(self) -> str:
        """Why it cannot be undone; empty when it can."""
        lost = next((each for each in (self.before, self.after) if not each.restorable), None)
        return "" if lost is None else lost.why or "its content is not kept"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"path": self.path, "before": self.before.to_json(), "after": self.after.to_json()}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Delta":
        """What ``to_json`` made. Raises like ``Snapshot.from_json``."""
        return cls(
            path=str(given["path"]),
            before=Snapshot.from_json(given["before"]),
            after=Snapshot.from_json(given["after"]),
        )
