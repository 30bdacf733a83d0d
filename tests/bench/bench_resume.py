"""What it takes to go on with a session of 10,000 messages and 50 MB of tool output.

The real program on a pseudo-terminal, with a long session and with an empty one in the same run: seconds until the
end of the conversation is painted, and how much memory the process has when all is quiet. Loading alone is measured
too, with the snapshot and without. The bounds hold for the difference; for time it is counted in seconds of CPU.
"""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from patchbay.app.engine.database import connect
from patchbay.app.engine.snapshots import load_session, renew
from support.long_sessions import LONG_ID, write_long_session
from support.pty_screen import PtyScreen

ROUNDS = 3
MOST_SECONDS = 1.0
MOST_GROWTH_MB = 60
SETTLED_S = 3.0
CONFIG = """
[providers.shop]
preset = "custom"
base_url = "http://127.0.0.1:9/v1"
api_key_env = "SHOP_KEY"
model = "fast-1"
"""
LOAD = """
import sys, time
from pathlib import Path
from patchbay.app.engine.database import connect
from patchbay.app.engine.snapshots import load_session
def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
connection = connect(Path(sys.argv[1]))
before, started = memory(), time.perf_counter()
loaded = load_session(connection, sys.argv[2])
print(time.perf_counter() - started, memory() - before, loaded.snapshot_seq)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One start: seconds to the first painted content and of CPU till then, megabytes when all was quiet."""

    seconds: float
    cpu: float
    settled: float


@pytest.mark.timeout(600)
def test_a_long_session_is_usable_at_once(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "shop"
    folder.mkdir()
    config = home / ".config" / "patchbay" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    database = home / ".local" / "state" / "patchbay" / "patchbay.db"
    write_long_session(database, folder=str(folder))
    connection = connect(database)
    with connection:
        connection.execute("DELETE FROM snapshots")
    replay = _load(database)
    renew(connection, LONG_ID)
    assert load_session(connection, LONG_ID).snapshot_seq > 0
    connection.close()
    snapshot = _load(database)
    empty = [_start(home, folder, [], b"fast-1") for _ in range(ROUNDS)]
    long = [_start(home, folder, ["--continue"], b"Question 4999") for _ in range(ROUNDS)]
    extra = _median([each.cpu for each in long]) - _median([each.cpu for each in empty])
    growth = _median([each.settled for each in long]) - _median([each.settled for each in empty])
    print(
        f"\nload: {replay[0]:.2f} s and {replay[1]:.0f} MB from the journal,"
        f" {snapshot[0]:.2f} s and {snapshot[1]:.0f} MB with a snapshot ({replay[0] / snapshot[0]:.0f} times faster)"
        f"\nfirst content: {_median([e.seconds for e in long]):.2f} s, empty session"
        f" {_median([e.seconds for e in empty]):.2f} s; {extra:.2f} s of CPU more"
        f"\nmemory: {_median([e.settled for e in long]):.0f} MB, empty session"
        f" {_median([e.settled for e in empty]):.0f} MB: {growth:.0f} MB more"
    )
    assert extra < MOST_SECONDS
    assert growth < MOST_GROWTH_MB


def _load(database: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD, str(database), LONG_ID], check=True, capture_output=True, text=True
    )
    seconds, memory, _ = done.stdout.split()
    return float(seconds), float(memory)


def _start(home: Path, folder: Path, options: list[str], words: bytes) -> Seen:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "HOME": str(home),
        "SHOP_KEY": "x",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    started = time.perf_counter()
    command = [sys.executable, "-P", "-m", "patchbay", *options]
    with PtyScreen(command, folder=folder, environ=environ, size=(160, 48)) as screen:
        screen.wait(lambda written: words in written)
        seconds, cpu = time.perf_counter() - started, _cpu(screen.process.pid)
        quiet = time.monotonic() + SETTLED_S
        while time.monotonic() < quiet:
            screen._read(0.2)
        return Seen(seconds, cpu, _memory(screen.process.pid))


def _cpu(pid: int) -> float:
    """Seconds of CPU a process has used: other processes do not count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _median(values: list[float]) -> float:
    return statistics.median(values)
