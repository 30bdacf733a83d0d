"""Whether a folder may steer this program: its settings, instructions, hooks and servers.

A folder is untrusted until a person says otherwise. Their answer holds for exactly the configuration they were
asked about (``folder_config``): when a file of it changes, appears or goes, they are asked again and told which.
Answers belong to the real path of the repository, or of the folder where there is none; a repository inside
another one has its own.
"""

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from .folder_config import FolderConfig, is_wide, look_at
from .paths import replace_private_file
from .plain_file import read_plain_file

_MAX_FILE_BYTES = 16_000_000


class Standing(StrEnum):
    """What a folder may do."""

    TRUSTED = "trusted"
    """Its configuration counts."""
    SESSION = "trusted for this session"
    """The same, and forgotten at the end."""
    PLAIN = "nothing to trust"
    """It brings no configuration, so nobody is asked; the first command in it is."""
    UNTRUSTED = "untrusted"
    """Nothing of it counts, and every command and change asks."""

    @property
    def counts(self) -> bool:
        """Whether the folder's configuration is used."""
        return self in (Standing.TRUSTED, Standing.SESSION)


class Change(StrEnum):
    """How a file differs from what was trusted."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """A person's answer for one root: yes or no, for these files (name -> digest)."""

    trusted: bool
    files: Mapping[str, str]


class TrustFile:
    """The answers, in one JSON file of mode 0600. A file that cannot be read, or that others may write, holds none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[Path, TrustRecord]:
        """Every answer, by root."""
        try:
            if os.stat(self._file).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return {}
            content: object = json.loads(read_plain_file(self._file, _MAX_FILE_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        rows = cast("dict[str, object]", content).get("folders") if isinstance(content, dict) else None
        records = {
            Path(root): _record(cast("dict[str, object]", row))
            for root, row in (cast("dict[str, object]", rows) if isinstance(rows, dict) else {}).items()
            if isinstance(row, dict)
        }
        return {root: record for root, record in records.items() if record is not None}

    def set(self, root: Path, record: TrustRecord | None) -> None:
        """Keep an answer, or forget it (None). Raises OSError when it cannot be written; then nothing changes."""
        records = self.all()
        records.pop(root, None)
        if record is not None:
            records[root] = record
        rows = {str(path): {"trusted": each.trusted, "files": dict(each.files)} for path, each in records.items()}
        replace_private_file(self._file, json.dumps({"version": 1, "folders": rows}, indent=1), sync=True)


class FolderTrust:
    """The trust of one folder while a session works in it."""

    def __init__(
        self, config: FolderConfig, file: TrustFile, *, home: Path, standing: Standing | None = None, asks: bool = True
    ) -> None:
        """``standing`` sets aside what was answered before; ``asks``: whether there is a person to ask."""
        self.config = config
        self.wide = is_wide(config.root, home)
        """Everything the person has lies in it: it can be trusted for a session only."""
        self._file = file
        self._record = file.all().get(config.root)
        self.changes = () if self._record is None else changes(config, self._record)
        """What differs from what was answered; empty when nobody has answered yet."""
        self.standing = self._judged() if standing is None else standing
        answered = self._record is not None and not self._record.trusted and not self.changes
        self.asks = asks and self.standing is Standing.UNTRUSTED and not answered
        """Whether the person should be asked now."""
        self.on_change: Callable[[], None] | None = None

    def trust(self, *, always: bool) -> None:
        """The person says yes. Raises ``OSError`` when that cannot be kept; it then holds for this session."""
        self._stand(Standing.SESSION)
        if always and self.can_be_kept:
            self._keep(trusted=True)
            self._stand(Standing.TRUSTED)

    def refuse(self) -> None:
        """The person says no, for this configuration. Raises ``OSError`` when that cannot be kept."""
        self._stand(Standing.UNTRUSTED)
        if not self.wide:
            self._keep(trusted=False)

    @property
    def can_be_kept(self) -> bool:
        """Whether "always" is a fair offer."""
        return not self.wide and self.config.complete

    def _judged(self) -> Standing:
        if self._record is not None and self._record.trusted and not self.changes and self.can_be_kept:
            return Standing.TRUSTED
        forgotten = self._record is None or not self._record.trusted
        return Standing.PLAIN if forgotten and not self.config.items else Standing.UNTRUSTED

    def _keep(self, *, trusted: bool) -> None:
        # The answers for other folders of the same repository stay; those for this one are replaced.
        before = self._record.files if self._record is not None and self._record.trusted is trusted else None
        kept = {name: digest for name, digest in (before or {}).items() if not self.config.covers(name)}
        self._record = TrustRecord(trusted=trusted, files=kept | self.config.digests())
        self._file.set(self.config.root, self._record)

    def _stand(self, standing: Standing) -> None:
        self.asks = False
        self.standing = standing
        if self.on_change is not None:
            self.on_change()


def trust_of(folder: Path, *, home: Path, state_folder: Path, once: bool = False, person: bool = True) -> FolderTrust:
    """How a folder stands now. ``once`` is the person's yes for this run (``--trust``).

    Without a ``person`` to ask (a run for a script) earlier answers do not count: what a script does must not
    depend on what somebody once answered on a screen.
    """
    config = look_at(folder, home)
    file = trust_file(state_folder)
    if once:
        return FolderTrust(config, file, home=home, standing=Standing.SESSION)
    if not person:
        standing = Standing.UNTRUSTED if config.items else Standing.PLAIN
        return FolderTrust(config, file, home=home, standing=standing, asks=False)
    return FolderTrust(config, file, home=home)


def trust_file(state_folder: Path) -> TrustFile:
    """Where answers are kept."""
    return TrustFile(state_folder / "trust.json")


def changes(config: FolderConfig, record: TrustRecord) -> tuple[tuple[str, Change], ...]:
    """What differs between a folder and what a person answered about, by name."""
    found: dict[str, Change] = {}
    for item in config.items:
        before = record.files.get(item.name)
        if before != item.digest:
            found[item.name] = Change.NEW if before is None else Change.CHANGED
    there = config.digests()
    for name in record.files:
        if name not in there and config.covers(name):
            found[name] = Change.GONE
    return tuple(sorted(found.items()))


def _record(row: Mapping[str, object]) -> TrustRecord | None:
    trusted, files = row.get("trusted"), row.get("files")
    if not isinstance(trusted, bool) or not isinstance(files, dict):
        return None
    digests = cast("dict[str, object]", files)
    if not all(isinstance(digest, str) for digest in digests.values()):
        return None
    return TrustRecord(trusted=trusted, files=cast("dict[str, str]", files))
