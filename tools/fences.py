"""What keeps a command in bounds, put up by the command's own process just before it starts (Linux).

Two layers, of which the first needs permission: *namespaces* (user, mount, network, IPC), in which everything is
read-only but the places to write to, and there is no network but a loopback of its own; and *Landlock*, which
needs none. Where there is no network namespace, a seccomp filter refuses sockets of the internet. All of it is
inherited by whatever the command starts and cannot be taken off again.

Runs in the warden's program (see ``warden``): standard library only. Sources: landlock(7), mount_setattr(2),
user_namespaces(7), seccomp(2), and the kernel's own headers for the numbers.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import resource
import socket
import struct
from collections.abc import Iterable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 36, 38, 22, 24
_NEWNS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
_BIND, _REC, _PRIVATE, _NOSUID, _NODEV = 4096, 16384, 1 << 18, 2, 4
_RDONLY_ATTR, _AT_RECURSIVE, _AT_FDCWD = 1, 0x8000, -100
_MOUNT_SETATTR, _CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 442, 444, 445, 446

_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 10, 31})
"""What root may keep: owners and modes of files, signals, other users' ids, low ports, file capabilities."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK, _REFER, _TRUNCATE = 1 << 6, 1 << 11, 1 << 13, 1 << 14
_ALL = (1 << 15) - 1
"""Every right of files up to ABI 3."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_CHANGES = _ALL & ~(_EXECUTE | _READ_FILE | _READ_DIR | _MAKE_CHAR | _MAKE_BLOCK)
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX, _SCOPE_SIGNAL = 1, 2

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_SECCOMP = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: the audit architecture and the number of ``socket``."""
_IO_URING_SETUP = 425
_LOCAL_FAMILIES = (socket.AF_UNIX, 16)  # 16: netlink, which asks the kernel about interfaces


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none or it is off."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def become_subreaper() -> None:
    """Orphans below this process become its children."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_parent() -> None:
    """Be killed when the warden ends before this process does. Changes of credentials undo it: the last step."""
    _libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def put_up(order: dict[str, Any]) -> list[str]:
    """Set the limits and put up the fence of an order; the layers that stand. Raises ``OSError`` when one cannot."""
    _limit(order["limits"])
    fence = order.get("fence")
    if fence is None:
        _end_with_parent()
        return []
    layers: list[str] = []
    isolated = bool(fence["namespaces"])
    writable = [path for path in fence["writable"] if os.path.isdir(path)]
    if isolated:
        _enter_namespaces(network=bool(fence["network"]))
        layers += ["namespaces", *_arrange_mounts(fence, writable)]
        os.chdir(order["folder"])  # the same folder, but in the mounts just made
        if not fence["network"]:
            _raise_loopback()
            layers.append("no-network")
    if os.geteuid() == 0:
        _drop_capabilities()  # one of them reads other processes past every fence: CAP_PERFMON
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if not fence["network"] and not isolated and _refuse_sockets():
        layers.append("no-network")
    tcp = bool(fence["network"]) or isolated
    private = ["/dev/shm", *(["/tmp"] if "tmp" in layers else [])] if isolated else []  # noqa: S108
    _restrict(fence, [*writable, *private], tcp_open=tcp)
    _end_with_parent()
    return [*layers, "landlock"]


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = int(getattr(resource, name))
        _, most = resource.getrlimit(kind)
        bound = value if most == resource.RLIM_INFINITY else min(value, most)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))


def _enter_namespaces(*, network: bool) -> None:
    """Move into namespaces of its own. Raises ``OSError`` when this user or this machine does not allow it."""
    flags = _NEWNS | _NEWIPC | (0 if network else _NEWNET)
    if os.geteuid() == 0 and _libc.unshare(flags) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(flags | _NEWUSER), "namespaces")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _arrange_mounts(fence: dict[str, Any], writable: list[str]) -> list[str]:
    """Make everything read-only but ``writable`` without its protected names, and hide what is secret."""
    layers: list[str] = []
    _mount("none", "/", None, _REC | _PRIVATE)
    protected = [path for path in fence["protected"] if os.path.lexists(path) and not os.path.islink(path)]
    anchors = [path for path in fence["anchors"] if os.path.isdir(path) and not os.path.islink(path)]
    for path in (*writable, *anchors, *protected):
        _mount(path, path, None, _BIND | _REC)
    for path in fence["hidden"]:
        if os.path.isdir(path):
            _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV, "size=4k,mode=0700")
        elif os.path.lexists(path):
            _mount("/dev/null", path, None, _BIND)
    _set_readonly("/", readonly=True)
    for path in (*writable, *anchors):
        _set_readonly(path, readonly=False)
    for path in protected:
        _set_readonly(path, readonly=True)
    _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")  # noqa: S108
    if fence["own_tmp"]:
        _mount(fence["temporary"], "/tmp", None, _BIND)  # noqa: S108
        _set_readonly("/tmp", readonly=False)  # noqa: S108
        layers.append("tmp")
    return layers


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    text = None if kind is None else kind.encode()
    done = _libc.mount(os.fsencode(source), os.fsencode(target), text, ctypes.c_ulong(flags), data.encode())
    _check(done, f"mount {target}")


def _set_readonly(path: str, *, readonly: bool) -> None:
    attributes = struct.pack("QQQQ", _RDONLY_ATTR if readonly else 0, 0 if readonly else _RDONLY_ATTR, 0, 0)
    for flags in (_AT_RECURSIVE, 0):  # a mount of another owner below it stays as it is
        done = _libc.syscall(
            _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes))
        )
        if done == 0 or readonly:
            break
    _check(done, f"remount {path}")


def _raise_loopback() -> None:
    """Servers and clients of the command's own may talk to each other over 127.0.0.1."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 1 | 64)  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)


def _drop_capabilities() -> None:
    for number in range(64):
        if number not in _KEPT_CAPABILITIES and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            break


def _refuse_sockets() -> bool:
    """Let ``socket`` make local ones only; False on a machine whose numbers are not known here."""
    known = _SECCOMP.get(platform.machine())
    if known is None:
        return False
    architecture, number = known
    refuse, missing, allow = 0x50000 | errno.ENETUNREACH, 0x50000 | errno.ENOSYS, 0x7FFF0000
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),
        (equal, 0, 9, architecture),  # a program of another architecture could use other numbers
        (load, 0, 0, 0),
        (at_least, 7, 0, 0x40000000),
        (equal, 5, 0, _IO_URING_SETUP),  # it makes sockets of its own
        (equal, 0, 3, number),
        (load, 0, 0, 16),
        (equal, 1, 0, _LOCAL_FAMILIES[0]),
        (equal, 0, 2, _LOCAL_FAMILIES[1]),
        (give, 0, 0, allow),
        (give, 0, 0, missing),
        (give, 0, 0, refuse),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    _check(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0), "seccomp")
    return True


def _restrict(fence: dict[str, Any], writable: Iterable[str], *, tcp_open: bool) -> None:
    """Landlock: read what is not secret, change what is below ``writable``, and as much more as the kernel knows."""
    abi = landlock_abi()
    net = _BIND_TCP | _CONNECT_TCP if abi >= 4 and not tcp_open else 0
    scope = _SCOPE_ABSTRACT_UNIX | _SCOPE_SIGNAL if abi >= 6 else 0
    attributes = struct.pack("QQQ", _ALL, net, scope)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    _check(ruleset, "Landlock")
    devices = [f"/dev/{name}" for name in _DEVICES]
    _allow(ruleset, ["/"], _READ_DIR)
    _allow(ruleset, fence["readable"], _EXECUTE | _READ_FILE | _READ_DIR)
    _allow(ruleset, writable, _ALL & ~(_MAKE_CHAR | _MAKE_BLOCK))
    _allow(ruleset, devices, _READ_FILE | _WRITE_FILE | _TRUNCATE)
    _check(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    """Allow ``rights`` at and below each path. What is missing or a link is left out."""
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            mode = os.fstat(place).st_mode
            if mode & 0o170000 == 0o120000:
                continue
            suited = rights if mode & 0o170000 == 0o040000 else rights & _OF_FILES
            rule = struct.pack("=Qi", suited, place)
            _check(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0), f"Landlock {path}")
        finally:
            os.close(place)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
