"""Keys of cloud services that a person entered (``patchbay login``), for those who keep none in their environment.

They are in the system's keyring where there is one (package ``keyring``, an optional dependency), else in a file that
only its owner may read and that no tool's command gets to see. What the environment says goes before them.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, cast

from ..providers.redact import remember_secret
from .paths import Paths, replace_private_file

SERVICE = "patchbay"
"""The name under which the keyring lists them."""
_FILE = "credentials.json"


class KeyPlace(StrEnum):
    """Where a key is kept."""

    KEYRING = "keyring"
    FILE = "file"


class Keyring(Protocol):
    """The part of the ``keyring`` package that is used. Its backends raise errors of any kind."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The key, or None."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep it."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget it."""
        ...


def system_keyring() -> Keyring | None:
    """The system's keyring; None where the package is not installed or no backend works."""
    try:
        found: Any = importlib.import_module("keyring").get_keyring()
        return cast("Keyring", found) if found.priority > 0 else None
    except Exception:  # whatever a backend of somebody else raises: then there is none
        return None


class KeptKeys:
    """The kept keys, each under the name of the environment variable it stands for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, str] = {}

    @property
    def file(self) -> Path:
        """Where keys are that no keyring holds, and which ones one holds."""
        return self._file

    def places(self) -> dict[str, KeyPlace]:
        """The variables that keys are kept for, and where. Empty when the file is missing or not ours."""
        return {name: KeyPlace.KEYRING if key is None else KeyPlace.FILE for name, key in self._read().items()}

    def key(self, variable: str) -> str | None:
        """The key that stands for a variable. A change by another process is seen at the next call."""
        seen = self._stamp()
        if seen != self._seen:
            self._seen, self._keys = seen, {}
        if seen is None:
            return None
        if variable not in self._keys:
            self._keys[variable] = self._find(variable)
        return self._keys[variable] or None

    def keep(self, variable: str, key: str) -> KeyPlace:
        """Keep a key, in place of an earlier one; returns where. Raises OSError when it cannot be kept."""
        remember_secret(key)
        keyring = system_keyring()
        in_keyring = keyring is not None and _set(keyring, variable, key)
        kept = self._read()
        kept[variable] = None if in_keyring else key
        self._write(kept)
        return KeyPlace.KEYRING if in_keyring else KeyPlace.FILE

    def forget(self, variable: str) -> bool:
        """Forget a key. False when none was kept. Raises OSError when it cannot be forgotten."""
        kept = self._read()
        if variable not in kept:
            return False
        if kept.pop(variable) is None and (keyring := system_keyring()) is not None:
            _delete(keyring, variable)
        self._write(kept)
        return True

    def _find(self, variable: str) -> str:
        kept = self._read()
        if variable not in kept:
            return ""
        key = kept[variable]
        if key is None and (keyring := system_keyring()) is not None:
            key = _get(keyring, variable)
        return key or ""

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> dict[str, str | None]:
        """Variables with their keys; None for one that the keyring holds."""
        try:
            content: Any = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        rows = cast("dict[str, Any]", content).items()
        return {name: key for name, key in rows if key is None or isinstance(key, str)}

    def _write(self, kept: Mapping[str, str | None]) -> None:
        replace_private_file(self._file, json.dumps(kept, indent=1), sync=True)
        self._seen = None


class WithKeptKeys(Mapping[str, str]):
    """An environment in which kept keys stand for variables that are not set. Listing it lists none of them."""

    def __init__(self, environ: Mapping[str, str], keys: KeptKeys) -> None:
        self._environ = environ
        self._kept = keys

    def __getitem__(self, name: str) -> str:
        """The variable, else the key kept for it. Raises KeyError."""
        if self._environ.get(name, "").strip():
            return self._environ[name]
        key = self._kept.key(name)
        return self._environ[name] if key is None else key

    def __iter__(self) -> Iterator[str]:
        """The names of the environment."""
        return iter(self._environ)

    def __len__(self) -> int:
        """How many names it has."""
        return len(self._environ)


def kept_keys(paths: Paths) -> KeptKeys:
    """The keys this person entered."""
    return KeptKeys(paths.state_folder / _FILE)


def with_kept_keys(environ: Mapping[str, str], paths: Paths) -> Mapping[str, str]:
    """The environment for whoever looks for keys."""
    return WithKeptKeys(environ, kept_keys(paths))


def _get(keyring: Keyring, variable: str) -> str | None:
    try:
        return keyring.get_password(SERVICE, variable)
    except Exception:  # locked, or gone: the provider says that its key is missing
        return None


def _set(keyring: Keyring, variable: str, key: str) -> bool:
    try:
        keyring.set_password(SERVICE, variable, key)
        return keyring.get_password(SERVICE, variable) == key
    except Exception:  # locked, or refused: the file takes it
        return False


def _delete(keyring: Keyring, variable: str) -> None:
    try:
        keyring.delete_password(SERVICE, variable)
    except Exception:  # it may be gone already: nothing refers to it any more
        return
