"""Stands between this program and a command: starts it, waits for it, and leaves nothing of it behind (Linux).

A program of its own, started once a session with ``python -I -S``: it imports nothing but the standard library and
``fences`` beside it. For each command it forks a *warden*. Whatever a command starts becomes the warden's child
when its own parent ends (PR_SET_CHILD_SUBREAPER), with its own session and an empty environment too, so the warden
finds everything, ends it and reaps it. When Patchbay dies, the socket to it closes and the warden does the same; when
a command kills its warden, this program ends what it left.

A request is one byte with two descriptors: the command's socket and the pipe for its output. On the socket comes a
line of JSON, the order (``launcher.Order``); then ``t`` asks the command to end, and closing it ends everything.
Back goes one line of JSON: ``{"exit": status, "survivors": n, "overrun": bool, "layers": [...]}``, or
``{"failed": why}`` when the command was not started.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

_KILL_S = 1.5
"""How long ending everything may take; what the kernel holds for longer dies when it lets go."""
_WATCH_S = 0.1
_HIGH = 100
_ORDER_BYTES = 64_000_000
_NICE_START = 256
"""Processes more than at the start, on the whole machine, that make the warden count its own."""

Fence = Callable[[dict[str, Any]], list[str]]


def main(fence: Fence, subreaper: Callable[[], None]) -> None:
    """Serve requests on standard input, a socket, until it closes."""
    requests = socket.socket(fileno=0)
    subreaper()  # what a warden watched comes here when a command kills the warden
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    wake = _woken_by_children()
    wardens: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, wake], [], [])
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            _bury(wardens)
        if requests not in ready:
            continue
        data, descriptors, _, _ = socket.recv_fds(requests, 1, 2)
        if not data:
            return
        control, output = descriptors
        warden = os.fork()
        if warden == 0:
            requests.close()
            for other in wardens.values():
                other.close()
            code = 1
            try:
                _Warden(socket.socket(fileno=control), output, fence, subreaper).serve()
                code = 0
            finally:
                os._exit(code)
        wardens[warden] = socket.socket(fileno=control)
        os.close(output)


def _woken_by_children() -> int:
    """A descriptor that can be read when a child has ended."""
    wake, waker = os.pipe()
    for end in (wake, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return wake


def _bury(wardens: dict[int, socket.socket]) -> None:
    """Reap wardens that ended, and end what they left; only then close their sockets, which is what is waited for."""
    ended: list[socket.socket] = []
    killed: list[int] = []
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if (control := wardens.pop(child[0], None)) is not None:
                ended.append(control)
                if child[1] != 0:
                    killed.append(child[0])
    if killed:
        _end_below(os.getpid(), kept=wardens)
    for warden in killed:
        with contextlib.suppress(OSError):
            os.rmdir(_group_folder(warden))
    for control in ended:
        control.close()


def _end_below(root: int, *, kept: Iterable[int]) -> None:
    """Kill and reap everything below ``root`` but the processes of ``kept`` and what is below them."""
    end = time.monotonic() + _KILL_S
    while time.monotonic() < end:
        spared = {*kept, *(each for one in kept for each in _descendants(one))}
        found = [process for process in _descendants(root) if process not in spared]
        if not found:
            return
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.002)
        for process in found:
            with contextlib.suppress(OSError):  # reaped already, or the child of another
                os.waitpid(process, os.WNOHANG)


class _Warden:
    """One command, from its order to the last of its processes."""

    def __init__(self, control: socket.socket, output: int, fence: Fence, subreaper: Callable[[], None]) -> None:
        os.setsid()
        subreaper()
        self._control = control
        self._output = output
        self._fence = fence
        self._wake = _woken_by_children()
        self._main = 0
        self._status: int | None = None
        self._limit = 0
        self._base = _all_tasks()

    def serve(self) -> None:
        """Run the command and report. Returns when nothing of it is left."""
        order = self._order()
        if order is None:
            return
        cage = _Cage(int(order["processes"]))
        self._limit = int(order["processes"])
        failure, layers = self._start(order, cage)
        os.close(self._output)
        if failure:
            self._reap()
            cage.open()
            self._say({"failed": failure})
            return
        overrun = self._watch()
        self._reap()
        left = len(_descendants(os.getpid()))
        cage.close()
        self._end_all()
        cage.open()
        status = -signal.SIGKILL if self._status is None else self._status
        running = self._main in _descendants(os.getpid())
        self._say({"exit": status, "survivors": left, "overrun": overrun, "layers": layers, "stuck": running})

    def _order(self) -> dict[str, Any] | None:
        data = bytearray()
        while not data.endswith(b"\n"):
            chunk = self._control.recv(1 << 20)
            if not chunk or len(data) > _ORDER_BYTES:
                return None
            data += chunk
        return cast("dict[str, Any]", json.loads(data))

    def _start(self, order: dict[str, Any], cage: "_Cage") -> tuple[str, list[str]]:
        """Fork the command; why it did not start (empty when it did) and which fences stand around it."""
        reading, writing = os.pipe()
        self._main = os.fork()
        if self._main == 0:
            try:
                _become(order, self._output, writing, cage, self._fence)
            finally:
                os._exit(127)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        layers, _, failure = said.decode("utf-8", "replace").partition("\n")
        return failure, layers.split()

    def _watch(self) -> bool:
        """Wait until the command ends or must; True when it was stopped for starting too many processes."""
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while self._status is None:
            for descriptor, _ in poll.poll(_WATCH_S * 1000):
                if descriptor == self._wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                else:
                    word = self._control.recv(1)
                    self._ask()
                    if not word:
                        return False
            self._reap()
            suspicious = _all_tasks() - self._base > min(self._limit, _NICE_START)
            if suspicious and len(_descendants(os.getpid())) > self._limit:
                return True
        return False

    def _ask(self) -> None:
        """Ask everything to end, and wake what is stopped so that it can hear."""
        for process, _ in _descendants(os.getpid()).items():
            for number in (signal.SIGTERM, signal.SIGCONT):
                with contextlib.suppress(OSError):
                    os.kill(process, number)

    def _end_all(self) -> None:
        """Kill and reap until there is no child. Groups first: no member can fork its way out of a group's signal."""
        end = time.monotonic() + _KILL_S
        pause = 0.0005
        while self._reap() and time.monotonic() < end:
            found = _descendants(os.getpid())
            for group in set(found.values()) - {os.getpgrp()}:
                with contextlib.suppress(OSError):
                    os.killpg(group, signal.SIGKILL)
            for process in found:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(pause)
            pause = min(pause * 2, 0.02)

    def _reap(self) -> bool:
        """Collect ended children; False when there is none left, ended or not."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if process == 0:
                return True
            if process == self._main:
                self._status = os.waitstatus_to_exitcode(status)

    def _say(self, record: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(record).encode() + b"\n")


def _become(order: dict[str, Any], output: int, report: int, cage: "_Cage", fence: Fence) -> None:
    """In the forked child: become the command. What stands in the way is written to ``report``, after a line end."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing, output, report = (
        fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _HIGH)  # out of the way of 0, 1 and 2
        for each in (os.open("/dev/null", os.O_RDONLY), output, report)
    )
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    os.closerange(3, _HIGH)
    try:
        cage.enter()
        os.chdir(order["folder"])
        layers = fence(order)
        os.write(report, " ".join(layers).encode())
        environment = cast("dict[str, str]", order["environment"])
        if "tmp" in layers:  # the folder for temporary files is mounted over the shared one
            own = order["fence"]["temporary"]
            environment = {name: value.replace(own, "/tmp") for name, value in environment.items()}  # noqa: S108
        os.execvpe(order["arguments"][0], order["arguments"], environment)  # noqa: S606 - a shell is what it is
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        os.write(report, f"\n{error.strerror or error}{where}".encode())
    except Exception as error:
        os.write(report, f"\n{type(error).__name__}: {error}".encode())


class _Cage:
    """A pids control group around the command, where this user may make one; else it does nothing."""

    def __init__(self, limit: int) -> None:
        self._folder = ""
        if limit and os.geteuid() == 0:
            with contextlib.suppress(OSError):
                self._folder = _make_group(limit)

    def enter(self) -> None:
        """Put this process into it."""
        if self._folder:
            with contextlib.suppress(OSError), open(f"{self._folder}/cgroup.procs", "w") as file:
                file.write(str(os.getpid()))

    def close(self) -> None:
        """No process in it can start another one any more."""
        if self._folder:
            with contextlib.suppress(OSError), open(f"{self._folder}/pids.max", "w") as file:
                file.write("0")

    def open(self) -> None:
        """Take it away; everything in it has ended."""
        if self._folder:
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)


def _group_folder(warden: int) -> str:
    """Where the control group of a warden's command is, if there is one."""
    with open("/proc/self/cgroup") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    first = next((path for _, names, path in lines if "pids" in names.split(",")), None)
    second = next((path for number, _, path in lines if number == "0"), "/")
    base = f"/sys/fs/cgroup{second}" if first is None else f"/sys/fs/cgroup/pids{first}"
    return f"{base.rstrip('/')}/patchbay-{warden}"


def _make_group(limit: int) -> str:
    folder = _group_folder(os.getpid())
    os.mkdir(folder)
    try:
        with open(f"{folder}/pids.max", "w") as file:
            file.write(str(limit))
    except OSError:
        os.rmdir(folder)
        raise
    return folder


def _descendants(root: int) -> dict[int, int]:
    """Every process below ``root`` that has not ended, with its group."""
    below: dict[int, list[int]] = {}
    groups: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            groups[int(name)] = int(fields[2])
        below.setdefault(int(fields[1]), []).append(int(name))
    found: dict[int, int] = {}
    waiting = list(below.get(root, ()))
    while waiting:
        process = waiting.pop()
        if process in groups:
            found[process] = groups[process]
        waiting += below.get(process, ())
    return found


def _all_tasks() -> int:
    """How many processes and threads the machine has; cheap enough to ask ten times a second."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return sys.maxsize
