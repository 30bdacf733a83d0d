"""Commands that do their best to hang, to flood or to leave something behind, and what was found after each.

``MARK`` in a command stands for a number of seconds that no other process has in its arguments: it can be slept for
and looked for in ``/proc``.
"""

import gc
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from patchbay.tools.events import ApprovalRequested, ApprovalResolved, Decision, Outcome
from patchbay.tools.policy import Policy
from patchbay.tools.sandbox import SandboxSettings
from patchbay.tools.toolbox import LocalToolbox

SLACK_S = 2.0
"""Seconds a command may take beyond its timeout."""
MEMORY_BYTES = 50_000_000
_ENDS, _HANGS = 20, 1
"""Timeouts in seconds: of commands that end by themselves, and of those that do not."""


@dataclass(frozen=True, slots=True)
class Nasty:
    """One command. ``hangs`` says that only its timeout ends it; ``needs`` what makes it safe to try."""

    name: str
    command: str
    hangs: bool = False
    needs: str = ""
    stops: bool = False
    """It is ended early for having too much of something, or by itself: both are right."""


def _python(text: str) -> str:
    return f"python3 -c '{text}' MARK"


NASTY = (
    Nasty("background child", "sleep MARK & echo on"),
    Nasty("setsid", "setsid sleep MARK & echo on"),
    Nasty("setsid that forks", "setsid -f sleep MARK; echo on"),
    Nasty("double fork", "( ( sleep MARK & ) & ); echo on"),
    Nasty("double fork with sessions", "(setsid bash -c 'setsid sleep MARK & disown; exit' &); sleep 0.2; echo on"),
    Nasty("ignores the request to end", "trap '' TERM; while :; do sleep 0.1; done # MARK", hangs=True),
    Nasty("ignores every signal", "for n in {1..64}; do trap '' $n; done 2>/dev/null; sleep MARK", hangs=True),
    Nasty(
        "child that ignores every signal",
        "(for n in {1..64}; do trap '' $n; done 2>/dev/null; exec sleep MARK) & echo on",
    ),
    Nasty("reads its input", "cat; read -r line; echo end # MARK"),
    Nasty("10 GB", "yes MARK | head -c 10G", hangs=True, stops=True),
    Nasty("one line of 1 GB", "head -c 1G /dev/zero | tr '\\0' x; : MARK", hangs=True, stops=True),
    Nasty("zeros without end", "cat /dev/zero; : MARK", hangs=True, stops=True),
    Nasty("fork bomb", "b() { b MARK | b MARK & }; b; sleep MARK", hangs=True, stops=True, needs="cage"),
    Nasty("many processes", "for n in {1..300}; do sleep MARK & done; echo on"),
    Nasty(
        "makes zombies",
        _python("import os, time\nfor n in range(200):\n  os.fork() or os._exit(0)\ntime.sleep(300)"),
        hangs=True,
    ),
    Nasty(
        "daemon without environment",
        _python(
            "import os, sys\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\nos.closerange(0, 99)\n"
            'os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})'
        ),
    ),
    Nasty("empty environment, session, two forks", "(env -i setsid sh -c 'sleep MARK & sleep MARK' &); echo on"),
    Nasty("closes everything", "exec 0<&- 1>&- 2>&-; sleep MARK", hangs=True),
    Nasty("closes everything and goes on behind", "(exec 0<&- 1>&- 2>&-; sleep MARK) & exit 3"),
    Nasty("holds the pipe open", "bash -c 'exec 5>&1; setsid sleep MARK 5>&1 &' ; echo on"),
    Nasty("writes to the terminal", "echo shown > /dev/tty; printf '\\033[2J' >/dev/tty; : MARK"),
    Nasty("a group of its own", "set -m; sleep MARK & sleep MARK & echo on"),
    Nasty("deep tree", "d() { if (($1)); then (d $(($1 - 1)) & wait); else sleep MARK; fi; }; d 40", hangs=True),
    Nasty(
        "deep tree without parents", "d() { if (($1)); then (d $(($1 - 1)) &) ; else sleep MARK; fi; }; d 60; echo on"
    ),
    Nasty("becomes another program", "exec -a innocent sleep MARK", hangs=True),
    Nasty("disowned", "sleep MARK & disown -a; echo on"),
    Nasty("nohup", "nohup sleep MARK >/dev/null 2>&1 & echo on"),
    Nasty("a byte at a time", "while :; do printf x; sleep 0.001; done; : MARK", hangs=True),
    Nasty("random bytes", "head -c 30000000 /dev/urandom; : MARK"),
    Nasty("flood of escape sequences", "yes $'\\033[31m\\033[2J\\033]0;MARK\\a\\r' | head -c 30000000"),
    Nasty("stops itself", "kill -STOP $$; sleep MARK", hangs=True),
    Nasty("stopped child", "sleep MARK & kill -STOP $!; echo on"),
    Nasty("stopped child of a stopped child", "(sleep MARK & kill -STOP $!; kill -STOP $BASHPID) & sleep 0.1; echo on"),
    Nasty("its folder is removed", "mkdir gone && cd gone && rmdir ../gone; sleep MARK & ls; pwd; echo on"),
    Nasty("huge environment", "for n in {1..40}; do export V$n=$(printf %050000d 0); done; sleep MARK & env | wc -c"),
    Nasty("limits of its own", "ulimit -n 8; ulimit -u 5; ulimit -t 1; ulimit -v 100000; sleep MARK & echo on"),
    Nasty("kills its parent", "sleep MARK & setsid sleep MARK & kill -9 $PPID; sleep MARK", hangs=True, stops=True),
    Nasty("kills its parent from behind", "(setsid sh -c 'kill -9 $1; exec env -i sleep MARK' - $PPID &); sleep 0.3"),
    Nasty(
        "kills all it can see",
        "unshare -Upf --mount-proc bash -c 'sleep MARK & kill -9 -1'; echo on",
        needs="namespace",
    ),
    Nasty("kills itself", "sleep MARK & kill -9 $$"),
    Nasty("always another one", "r() { sleep 0.01; r MARK & }; r & echo on"),
    Nasty(
        "moves on all the time",
        _python("import os\nwhile True:\n  if os.fork(): os._exit(0)\n  os.setsid()"),
        stops=True,
    ),
    Nasty("fifo without a reader", "mkfifo pipe; echo MARK > pipe", hangs=True),
    Nasty(
        "named like another",
        _python('import ctypes, os, time\nctypes.CDLL(None).prctl(15, b") R 1 1 (")\nos.fork()\ntime.sleep(300)'),
        hangs=True,
    ),
    Nasty(
        "threads that wait",
        _python("import threading as t, time\nfor n in range(200): t.Thread(target=time.sleep, args=[300]).start()"),
        hangs=True,
    ),
)


@dataclass(slots=True)
class Found:
    """What was found after a command."""

    name: str
    seconds: float
    grown: int
    written: int
    problems: list[str] = field(default_factory=list)


class Trial:
    """A toolbox in a folder of its own, in the sandbox or without one, that says yes to everything."""

    def __init__(self, folder: Path, *, fenced: bool) -> None:
        root = folder / "repo"
        root.mkdir(parents=True)
        self._toolbox = LocalToolbox(
            root,
            Policy([]),
            state_folder=folder / "state",
            environment={"PATH": os.environ["PATH"], "HOME": str(folder)},
            sandbox=SandboxSettings(enabled=fenced),
        )

    async def aclose(self) -> None:
        """End what is left, and the program that starts commands."""
        await self._toolbox.aclose()

    async def warm_up(self) -> None:
        """What the first command alone costs is no growth."""
        await self._bash("true", _ENDS)

    async def attempt(self, nasty: Nasty) -> Found:
        """Run one and look at what it left."""
        mark = f"{random.SystemRandom().randrange(3000, 4000)}.{random.SystemRandom().randrange(10**9):09d}"
        timeout = _HANGS if nasty.hangs else _ENDS
        memory = _peak_memory()
        started = time.monotonic()
        outcome, written = await self._bash(nasty.command.replace("MARK", mark), timeout)
        found = Found(nasty.name, time.monotonic() - started, _peak(memory), written)
        if found.seconds > timeout + SLACK_S:
            found.problems.append(f"took {found.seconds:.1f} s")
        if (outcome is Outcome.TIMEOUT) != nasty.hangs and not nasty.stops:
            found.problems.append(f"ended as {outcome}")
        if survivors := _with_argument(mark):
            found.problems.append(f"left {survivors}")
        if zombies := _own_zombies():
            found.problems.append(f"zombies {zombies}")
        if found.grown > MEMORY_BYTES:
            found.problems.append(f"{found.grown / 1e6:.0f} MB more memory")
        return found

    async def _bash(self, command: str, timeout_s: int) -> tuple[Outcome, int]:
        written = 0

        def count(event: object) -> None:
            nonlocal written
            written += len(getattr(event, "text", ""))

        ended = await self._toolbox.run(
            run_id="nasty",
            name="bash",
            arguments={"command": command, "timeout_s": timeout_s},
            emit=count,
            approve=_yes,
        )
        return ended.outcome, written


async def _yes(question: ApprovalRequested) -> ApprovalResolved:
    # A yes to the question that follows a refusal would run the command twice, the second time without sandbox.
    decision = Decision.DENY if question.approval_id.endswith(":beyond") else Decision.ONCE
    return ApprovalResolved(approval_id=question.approval_id, run_id=question.run_id, decision=decision)


def lacking(need: str) -> str:
    """Why a command that needs this is not tried here; empty when it is."""
    match need:
        case "cage":
            return "" if _can_cage() else "a fork bomb needs a control group of its own for its processes"
        case "namespace":
            done = os.system("unshare -Upf true >/dev/null 2>&1")
            return "" if done == 0 else "needs a pid namespace, so that it sees nothing but itself"
        case _:
            return ""


def _can_cage() -> bool:
    folder = Path("/sys/fs/cgroup/pids/patchbay-look")
    try:
        folder.mkdir()
    except OSError:
        return False
    caged = (folder / "pids.max").exists()
    folder.rmdir()
    return caged


def _with_argument(mark: str) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
                if state not in b"ZX" and mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _own_zombies() -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] == b"Z" and int(fields[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def _peak_memory() -> int:
    """Bytes of memory now; the highest mark is set back to it."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(before: int) -> int:
    return _status("VmHWM") - before


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
