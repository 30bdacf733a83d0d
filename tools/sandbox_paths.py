"""Which places a command in the sandbox may change, and which it may not even read."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .sensitive import Concern, concern_of

_GIT_PROTECTED = ("hooks", "config", "config.worktree", "commondir", "gitdir", "info/attributes")
"""What makes git run programs, or work elsewhere. The rest of ``.git`` is written by every commit."""
_SECRETS_AT_HOME = (
    ".config/gcloud",
    ".config/gh",
    ".config/glab-cli",
    ".config/google-chrome",
    ".config/chromium",
    ".config/op",
    ".config/rclone",
    ".config/sops",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".mozilla",
    ".thunderbird",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    "Library/Keychains",
)
_SECRETS_OF_THE_SYSTEM = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/sudoers")
_DOORS = (
    "/run/docker.sock",
    "/run/podman",
    "/run/containerd",
    "/run/dbus",
    "/run/user",
    "/run/libvirt",
    "/run/snapd.socket",
    "/run/systemd/private",
    "/tmp/.X11-unix",  # noqa: S108
)
"""Sockets whose servers do for a client what the client may not do itself."""
_LEFT_OUT = frozenset({"node_modules", ".venv", "venv", "__pycache__", "target", ".tox", ".mypy_cache"})
_NESTED_LEVELS = 2
_NESTED_ENTRIES = 4000


def own_git_folders(root: Path) -> tuple[Path, ...]:
    """Where git keeps the repository that ``root`` is in, when that is not below ``root`` itself.

    A working tree of its own (``git worktree``) has a file ``.git`` that names its folder; it is believed only
    when that folder names the file in turn.
    """
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_symlink():
            return ()
        if git.is_dir():
            return () if folder == root else (git,)
        if git.is_file():
            return _linked_git_folders(git)
    return ()


def _linked_git_folders(git: Path) -> tuple[Path, ...]:
    try:
        named = git.read_text("utf-8").partition("gitdir:")[2].strip()
        own = Path(os.path.realpath(git.parent / named))
        back = (own / "gitdir").read_text("utf-8").strip()
        common = Path(os.path.realpath(own / (own / "commondir").read_text("utf-8").strip()))
    except (OSError, UnicodeDecodeError, ValueError):
        return ()
    agreed = named and os.path.realpath(own / back) == os.path.realpath(git) and own.is_relative_to(common)
    return (common,) if agreed and (common / "objects").is_dir() else ()


def protected_below(root: Path, git_folders: Iterable[Path] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Existing protected names in a workspace, and the folders that hold some and must stay where they are."""
    protected: list[str] = []
    anchors: list[str] = []
    for folder in git_folders:
        _add_git(folder, protected, anchors)
    for entry in _entries(root, _NESTED_LEVELS, [_NESTED_ENTRIES]):
        if entry.name == ".git" and entry.is_dir(follow_symlinks=False):
            _add_git(Path(entry.path), protected, anchors)
        elif is_protected(entry.name):
            protected.append(entry.path)
    return tuple(protected), tuple(anchors)


def is_protected(name: str) -> bool:
    """Whether a name in the workspace makes other programs run code."""
    concern = concern_of((name,), writing=True)
    return concern is not None and concern[0] is Concern.PROTECTED


def protected_in_git(folder: Path) -> tuple[Path, ...]:
    """The protected names of one ``.git`` folder, whether they exist or not."""
    return tuple(folder / name for name in _GIT_PROTECTED)


def _add_git(folder: Path, protected: list[str], anchors: list[str]) -> None:
    anchors.append(os.fspath(folder))
    protected += [os.fspath(path) for path in protected_in_git(folder) if os.path.lexists(path)]
    for entry in _entries(folder / "modules", 0, [200]):
        if entry.is_dir(follow_symlinks=False):
            _add_git(Path(entry.path), protected, anchors)


def _entries(folder: Path, levels: int, room: list[int]) -> Iterator[os.DirEntry[str]]:
    """The names in a folder and some levels below, at most ``room`` of them."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if room[0] <= 0:
            return
        room[0] -= 1
        yield entry
        if levels and entry.name not in _LEFT_OUT and entry.name != ".git" and entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), levels - 1, room)


def hidden_places(
    home: Path, own: Iterable[Path], environment: Mapping[str, str], roots: Iterable[Path]
) -> tuple[str, ...]:
    """Existing places outside ``roots`` that hold keys, or sockets of servers that would do the forbidden.

    ``own`` are this program's folders.
    """
    named = [home / name for name in _SECRETS_AT_HOME]
    named += [Path(entry.path) for entry in _entries(home, 0, [2000]) if _is_secret(entry)]
    named += [Path(name) for name in (*_SECRETS_OF_THE_SYSTEM, *_DOORS)]
    named += [Path(value) for name in ("SSH_AUTH_SOCK", "DOCKER_CERT_PATH") if (value := environment.get(name))]
    named += own
    kept = [os.path.realpath(root) for root in roots]
    places = sorted({os.path.realpath(path) for path in named if os.path.lexists(path)})
    return tuple(place for place in places if place != "/" and not any(_within(root, place) for root in kept))


def _is_secret(entry: os.DirEntry[str]) -> bool:
    folder = entry.is_dir(follow_symlinks=False)
    concern = concern_of((entry.name, "any") if folder else (entry.name,), writing=False)
    return concern is not None and concern[0] is Concern.SECRET


def readable_places(hidden: Iterable[str]) -> tuple[str, ...]:
    """Everything but ``hidden``, as the fewest places that do not hold any of it. Devices are left out."""
    secret = {*hidden, "/dev"}
    above = {os.fspath(parent) for place in secret for parent in Path(place).parents}
    return tuple(_around("/", secret, above))


def _around(folder: str, secret: set[str], above: set[str]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if path in secret or os.path.islink(path):
            continue
        if path in above:
            yield from _around(path, secret, above)
        else:
            yield path


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def kind_of(path: str) -> int:
    """The file type bits of a path, links not followed; 0 when there is nothing."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return 0
