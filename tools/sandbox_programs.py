"""The command lines of sandboxes that are programs: bubblewrap on Linux, ``sandbox-exec`` (seatbelt) on macOS."""

import os
import stat
from collections.abc import Sequence

from .launcher import Fence
from .sandbox_paths import kind_of

_ROOT_KEEPS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE", "SETFCAP")


def bubblewrap(program: str, fence: Fence, folder: str, arguments: Sequence[str]) -> list[str]:
    """The arguments as bubblewrap runs them; options are those of version 0.4 and later."""
    line = [program, "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/"]
    line += ["--dev", "/dev", "--proc", "/proc"]
    if not fence.network:
        line.append("--unshare-net")
    if os.geteuid() == 0:
        line += ["--cap-drop", "ALL"]
        for name in _ROOT_KEEPS:
            line += ["--cap-add", f"CAP_{name}"]
    for path in fence.writable:
        if os.path.isdir(path):
            line += ["--bind", path, path]
    for path in fence.anchors:
        line += ["--bind", path, path]
    for path in fence.protected:
        if not os.path.islink(path):
            line += ["--ro-bind", path, path]
    for path in fence.hidden:
        match kind_of(path):
            case 0:
                pass
            case stat.S_IFDIR:
                line += ["--perms", "0700", "--tmpfs", path, "--remount-ro", path]
            case _:
                line += ["--ro-bind", "/dev/null", path]
    if fence.own_tmp:
        line += ["--bind", fence.temporary, "/tmp"]  # noqa: S108
    return [*line, "--chdir", folder, "--", *arguments]


def seatbelt(fence: Fence, missing: Sequence[str] = ()) -> str:
    """A profile for ``sandbox-exec -p``: writes and network refused but for the exceptions; the last rule wins.

    ``missing`` are regular expressions of protected names that need not exist yet.
    """
    lines = [
        "(version 1)",
        "(allow default)",
        "(deny file-write*)",
        *(f"(allow file-write* (subpath {_quoted(path)}))" for path in fence.writable),
        *(f"(allow file-write* (literal {_quoted(path)}))" for path in ("/dev/null", "/dev/zero", "/dev/tty")),
        '(allow file-write* (regex #"^/dev/(ttys|pty)"))',
        *(f"(deny file-write* (subpath {_quoted(path)}))" for path in fence.protected),
        *(f'(deny file-write* (regex #"{pattern}"))' for pattern in missing),
        *(f"(deny file-write-unlink (literal {_quoted(path)}))" for path in fence.anchors),
        *(f"(deny file-read* file-write* (subpath {_quoted(path)}))" for path in fence.hidden),
        "(deny appleevent-send)",
        "(deny process-info-pidinfo (target others))",
        "(deny signal (target others))",
        "(allow signal (target same-sandbox))",
    ]
    if not fence.network:
        lines += [
            "(deny network*)",
            '(allow network* (local ip "localhost:*") (remote ip "localhost:*"))',
            "(deny system-socket)",
        ]
    return "\n".join(lines) + "\n"


def _quoted(path: str) -> str:
    """A string literal of the profile language."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
