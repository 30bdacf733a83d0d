"""Processes end when they must, with everything they started, whatever they do."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbay.tools.process import ProcessEnd, child_environment, run_process

pytestmark = pytest.mark.timeout(30)


class Shell:
    """Runs bash lines in a folder and keeps their output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = bytearray()

    async def run(
        self, line: str, timeout_s: float = 10, on_output: Callable[[bytes], None] | None = None
    ) -> ProcessEnd:
        return await run_process(
            ["bash", "-c", "--", line],
            folder=self.folder,
            environment={"PATH": os.environ["PATH"]},
            timeout_s=timeout_s,
            on_output=on_output or self.output.extend,
        )

    def written(self, name: str) -> bool:
        """Whether the process that is to write its number to the file ``name`` has done so."""
        return (self.folder / name).exists() and (self.folder / name).read_text().strip() != ""

    def dead(self, name: str) -> bool:
        """Whether that process has ended."""
        number = int((self.folder / name).read_text())
        try:
            os.kill(number, 0)
            return " Z " in Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return True


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


async def test_output_and_status(shell: Shell) -> None:
    end = await shell.run("echo out; echo err >&2; exit 7")
    assert bytes(shell.output) == b"out\nerr\n"
    assert (end.exit_status, end.timed_out, end.survivors) == (7, False, False)


async def test_no_input_no_terminal_and_its_own_session(shell: Shell) -> None:
    await shell.run("cat; test -t 0 || echo none; (: < /dev/tty) 2>/dev/null || echo no tty; ps -o sid= -p $$; echo $$")
    lines = shell.output.decode().split()
    assert lines[:3] == ["none", "no", "tty"]
    assert lines[3] == lines[4]


@pytest.mark.parametrize(
    "line",
    [
        "sleep 300 & echo $! > pid; echo hi",
        "setsid sleep 300 & echo $! > pid; echo hi",
        "(setsid bash -c 'echo $$ > pid; sleep 300' &); while ! test -s pid; do :; done; echo hi",
        "(trap '' TERM HUP INT; sleep 300) & echo $! > pid; echo hi",
        "bash -c 'bash -c \"echo \\$\\$ > pid; sleep 300\" & disown' ; while ! test -s pid; do :; done; echo hi",
    ],
)
async def test_children_that_hold_the_pipe_neither_block_nor_survive(shell: Shell, until, line: str) -> None:
    end = await shell.run(line)
    assert bytes(shell.output) == b"hi\n"
    assert end.duration_s < 2 and end.exit_status == 0 and end.survivors
    await until(lambda: shell.dead("pid"))


@pytest.mark.parametrize(
    "line",
    [
        "echo $$ > pid; sleep 300",
        "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done",
        "(trap '' TERM; setsid bash -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done') ; sleep 300",
        "echo $$ > pid; exec 1>&-; exec 2>&-; sleep 300",
    ],
)
async def test_timeout_kills_everything(shell: Shell, until, line: str) -> None:
    end = await shell.run(line, timeout_s=1.5)  # enough for the shell to write its pid on a busy machine
    assert end.timed_out and end.duration_s < 1.5 + 4
    await until(lambda: shell.dead("pid"))


async def test_a_process_that_ends_on_the_request_has_time_for_it(shell: Shell) -> None:
    end = await shell.run("trap 'echo bye; exit 3' TERM; echo on; while :; do sleep 0.02; done", timeout_s=2.0)
    assert shell.output.startswith(b"on\n") and shell.output.endswith(b"bye\n")
    assert (end.exit_status, end.timed_out) == (3, True)


async def test_cancelling_kills_everything_and_raises(shell: Shell, until) -> None:
    line = "(setsid bash -c 'echo $$ > other; sleep 300' &); trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"
    task = asyncio.create_task(shell.run(line))
    await until(lambda: shell.written("pid"))
    await until(lambda: shell.written("other"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):  # and not after the 300 seconds it would sleep
        await task
    await until(lambda: shell.dead("pid"))
    await until(lambda: shell.dead("other"))


async def test_a_flood_leaves_the_loop_free_and_takes_no_memory(shell: Shell) -> None:
    longest, last, received = 0.0, time.thread_time(), 0

    def count(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    async def heartbeat() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    beat = asyncio.create_task(heartbeat())
    end = await shell.run("yes", timeout_s=1, on_output=count)
    beat.cancel()
    assert end.timed_out
    assert 1_000_000 < received < 500_000_000
    assert longest < 0.5


async def test_everything_written_before_the_end_arrives(shell: Shell) -> None:
    await shell.run("head -c 4050000 /dev/zero; echo end")  # so much that reading pauses before the last of it
    assert len(shell.output) == 4_050_004
    assert shell.output.endswith(b"end\n")


async def test_descriptors_are_closed(shell: Shell) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await shell.run("sleep 100 & echo hi")
    with pytest.raises(OSError):
        await run_process(
            ["/no/such/program"], folder=shell.folder, environment={}, timeout_s=1, on_output=shell.output.extend
        )
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_unread_errors_are_left_out(shell: Shell) -> None:
    await run_process(
        ["bash", "-c", "echo out; echo err >&2"],
        folder=shell.folder,
        environment={"PATH": os.environ["PATH"]},
        timeout_s=5,
        on_output=shell.output.extend,
        with_errors=False,
    )
    assert bytes(shell.output) == b"out\n"


def test_child_environment_holds_no_secret_and_nothing_of_ours() -> None:
    given = {
        "PATH": "/bin",
        "OPENAI_API_KEY": "k1",
        "AWS_SECRET_ACCESS_KEY": "k2",
        "GITHUB_TOKEN": "k3",
        "NPM_TOKEN": "k4",
        "DB_PASSWORD": "k5",
        "MY_OWN": "k6",
        "PATCHBAY_MODEL": "k7",
        "TEXTUAL_FPS": "240",
        "BASH_ENV": "k8",
        "BASH_FUNC_ls%%": "k9",
        "MONKEY": "stays",
        "TOKENIZERS_PARALLELISM": "stays",
        "KEYBOARD": "stays",
        "SSH_AUTH_SOCK": "stays",
    }
    child = child_environment(given, secret=["MY_OWN"], keep=["NPM_TOKEN"])
    assert {value for value in child.values() if value.startswith("k")} == {"k4"}
    assert [name for name, value in child.items() if value == "stays"] == [n for n, v in given.items() if v == "stays"]
    assert "TEXTUAL_FPS" not in child
    assert child["TERM"] == "dumb" and child["GIT_TERMINAL_PROMPT"] == "0"
