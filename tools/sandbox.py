"""The sandbox of the commands: which one this machine has, and what it lets a command do.

In every one: writes go to the workspace, a private folder for temporary files and what the settings add; protected
names in the workspace (``sensitive``) stay as they are; keys at home and this program's own files cannot be read;
there is no network unless the settings allow it. What a mechanism cannot hold is in ``docs/sandbox.md``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from .launcher import Fence, Order
from .sandbox_paths import hidden_places, own_git_folders, protected_below, readable_places
from .sandbox_programs import bubblewrap, seatbelt
from .sandbox_sweep import Sweep

_LEAST_ABI = 3
"""Older versions of Landlock let a command cut files short anywhere."""
_CACHES = {
    "GOCACHE": "go-build",
    "npm_config_cache": "npm",
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "CCACHE_DIR": "ccache",
}
"""Programs that fail, not only slow down, when they cannot write to their cache at home."""


class Kind(StrEnum):
    """A mechanism, by the name a person reads."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    NONE = "no sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What the person wants of the sandbox."""

    enabled: bool = True
    network: bool = False
    writable: tuple[str, ...] = ()
    """Further folders to write to; ``~`` is the home folder."""
    private: tuple[Path, ...] = ()
    """Files and folders of this program that a command may not read, besides the state folder."""


class Sandbox:
    """The sandbox of one session. ``namespaces`` False leaves that layer out, as a machine may."""

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        root: Path,
        state_folder: Path,
        environment: Mapping[str, str],
        kind: Kind | None = None,
        namespaces: bool = True,
    ) -> None:
        self._settings = settings
        self._root = root
        self._state = Path(os.path.realpath(state_folder))
        self._environment = environment
        self._home = Path(os.path.realpath(environment.get("HOME") or os.path.expanduser("~")))
        self._wished = kind
        self.namespaces = namespaces
        self.layers: frozenset[str] | None = None
        """What stood around the last command; None before the first."""

    @cached_property
    def kind(self) -> Kind:
        """The best mechanism that works here."""
        if not self._settings.enabled:
            return Kind.NONE
        return self._wished or _best_kind()

    @property
    def network(self) -> bool:
        """Whether commands may use the network."""
        return self._settings.network

    def badge(self) -> str:
        """The mechanism, and what it leaves open, for the status bar."""
        tight = self.layers is None or self.kind is not Kind.LANDLOCK or "no-network" in self.layers
        return (
            f"{self.kind}, net open" if self.kind is not Kind.NONE and (self.network or not tight) else str(self.kind)
        )

    def lacking(self) -> str:
        """Why there is no sandbox, and what to do; empty when there is one."""
        if self.kind is not Kind.NONE:
            return ""
        if not self._settings.enabled:
            return "the sandbox is switched off. Set enabled = true in [sandbox] of the settings"
        if sys.platform == "linux":
            return "this machine has no sandbox. Install bubblewrap, or run a kernel with Landlock (Linux 6.2 or later)"
        return "this machine has no sandbox that Patchbay knows"

    def fence(self, temporary: Path) -> Fence:
        """The bounds of a command that starts now. Looks at many folders: not for the event loop's thread."""
        git = own_git_folders(self._root)
        wished = [os.path.realpath(self._at_home(path)) for path in self._settings.writable]
        writable = [os.fspath(path) for path in (self._root, temporary, *git)] + wished
        own = [*self._settings.private, *self._own_files()]
        hidden = hidden_places(self._home, own, self._environment, [self._root, temporary])
        protected, anchors = protected_below(self._root, git)
        closed = os.fspath(self._state / "patchbay.db")  # also what comes to stand beside it later
        shared = Path("/tmp")  # noqa: S108
        places = [Path(path) for path in (*writable, *hidden) if path != os.fspath(temporary)]
        return Fence(
            writable=tuple(dict.fromkeys(writable)),
            temporary=os.fspath(temporary),
            readable=(*readable_places((*hidden, closed)), *writable),
            protected=protected,
            anchors=anchors,
            hidden=hidden,
            network=self.network,
            namespaces=self.namespaces,
            own_tmp=temporary.is_relative_to(shared) and not any(place.is_relative_to(shared) for place in places),
        )

    def order(self, arguments: list[str], environment: Mapping[str, str], temporary: Path) -> Order:
        """A command in this sandbox. Takes milliseconds: not for the event loop's thread."""
        fence = self.fence(temporary)
        folder = os.fspath(self._root)
        given = {**environment, "TMPDIR": fence.temporary, **self._caches(environment, fence)}
        order = Order(arguments=arguments, folder=folder, environment=given, fence=fence)
        match self.kind:
            case Kind.LANDLOCK:
                return order
            case Kind.BUBBLEWRAP:
                line = bubblewrap(shutil.which("bwrap") or "bwrap", fence, folder, arguments)
                if fence.own_tmp:
                    given = {name: value.replace(fence.temporary, "/tmp") for name, value in given.items()}  # noqa: S108
                return replace(order, arguments=line, environment=given, fence=None)
            case Kind.SEATBELT:
                return replace(
                    order, arguments=["/usr/bin/sandbox-exec", "-p", seatbelt(fence), *arguments], fence=None
                )
            case Kind.NONE:
                return replace(order, fence=None)

    def sweep(self) -> Sweep:
        """The protected names as they are now, to be compared when the command has ended."""
        fixed = self.kind is Kind.BUBBLEWRAP or (self.kind is Kind.LANDLOCK and self.namespaces)
        return Sweep(self._root, own_git_folders(self._root), taken=self._state / "taken", fixed=fixed)

    def is_writable(self, path: str) -> bool:
        """Whether a command may write to this absolute path, as far as its name tells."""
        places = [self._root, *(self._at_home(each) for each in self._settings.writable), Path("/dev")]
        return any(Path(path).is_relative_to(place) for place in places)

    def _own_files(self) -> list[Path]:
        try:
            return [self._state / name for name in os.listdir(self._state) if name != "output"]
        except OSError:
            return []

    def _at_home(self, path: str) -> Path:
        return self._home / path[2:] if path.startswith("~/") else Path(path)

    def _caches(self, environment: Mapping[str, str], fence: Fence) -> dict[str, str]:
        if any("cache" in path for path in self._settings.writable):
            return {}  # the person has opened the real ones
        return {name: f"{fence.temporary}/{folder}" for name, folder in _CACHES.items() if name not in environment}


def _best_kind() -> Kind:
    match sys.platform:
        case "linux":
            from .fences import landlock_abi  # brings ctypes, which a session without commands does not need

            program = shutil.which("bwrap")
            if program is not None and _works([program, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/"]):
                return Kind.BUBBLEWRAP
            return Kind.LANDLOCK if landlock_abi() >= _LEAST_ABI else Kind.NONE
        case "darwin":
            return Kind.SEATBELT if _works(["/usr/bin/sandbox-exec", "-p", "(version 1)(allow default)"]) else Kind.NONE
        case _:
            return Kind.NONE


def _works(line: list[str]) -> bool:
    """Whether the sandbox runs here: in a container it is often there and may not."""
    try:
        done = subprocess.run(  # noqa: S603
            [*line, "/bin/sh", "-c", ":"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=3,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
