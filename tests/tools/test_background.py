"""Commands that nobody waits for: what they wrote, how many there may be, and that none is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patchbay.tools.events import Outcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for survivors in /proc")


def running(mark: str) -> bool:
    """Whether a process has this text in its arguments."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
                if state not in b"ZX" and mark.encode() in (entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


@pytest.fixture
def mark() -> str:
    """Seconds that nobody else sleeps for."""
    return f"3600.{int.from_bytes(os.urandom(4)):010d}"


async def test_output_is_given_once_and_killing_ends_it(make_bench, until, mark: str) -> None:
    bench = make_bench("bash:**")
    try:
        line = f"echo one; while ! test -e go; do sleep 0.02; done; echo two; touch said; setsid sleep {mark} & wait"
        result = await bench.run("bash", command=line, background=True)
        assert result.outcome is Outcome.OK and "bg1" in result.content
        first = await bench.run("bash_output", id="bg1")
        assert (result.content + first.content).count("one\n") == 1 and "[bg1: running]" in first.content
        bench.file("go", "")
        await until(lambda: (bench.root / "said").exists())
        second = await bench.run("bash_output", id="bg1")
        assert "two\n" in second.content and "one" not in second.content
        await until(lambda: running(mark))
        assert (await bench.run("bash_kill", id="bg1")).summary == "bg1 killed"
        assert not running(mark)
        assert "killed" in (await bench.run("bash_output", id="bg1")).content
        assert "There are: bg1" in (await bench.run("bash_output", id="bg7")).content
    finally:
        await bench.toolbox.aclose()


async def test_sixteen_at_once_and_none_after_closing(make_bench, until, mark: str) -> None:
    bench = make_bench("bash:**")
    try:
        started = [
            asyncio.create_task(bench.run("bash", command=f"setsid -f sleep {mark}; sleep {mark}", background=True))
            for _ in range(16)
        ]
        assert {each.outcome for each in await asyncio.gather(*started)} == {Outcome.OK}
        refused = await bench.run("bash", command=f"sleep {mark}", background=True)
        assert refused.outcome is Outcome.ERROR and "16 commands run" in refused.content
        await until(lambda: running(mark))
    finally:
        await bench.toolbox.aclose()
    assert not running(mark)


async def test_a_killed_program_leaves_none(tmp_path: Path, until, mark: str) -> None:
    program = f"""
import asyncio, os
from pathlib import Path
from patchbay.tools.commands import Commands
from patchbay.tools.sandbox import Sandbox, SandboxSettings
async def main():
    root, state = Path({str(tmp_path / "repo")!r}), Path({str(tmp_path / "state")!r})
    given = {{"PATH": os.environ["PATH"], "HOME": {str(tmp_path)!r}}}
    sandbox = Sandbox(SandboxSettings(), root=root, state_folder=state, environment=given)
    commands = Commands(root=root, environment=given, sandbox=sandbox, output_folder=state)
    await commands.start("sleep {mark} & env -i setsid -f sleep {mark}; trap '' TERM HUP; sleep {mark}")
    await asyncio.sleep(600)
asyncio.run(main())
"""
    (tmp_path / "repo").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "program.py").write_text(program)
    process = subprocess.Popen([sys.executable, tmp_path / "program.py"])
    try:
        await until(lambda: running(f"sleep\0{mark}"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        await until(lambda: not running(mark))
    finally:
        process.kill()
        process.wait()
