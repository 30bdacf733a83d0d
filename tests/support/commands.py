"""Shell commands of a session on a folder of its own, and what is left of them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patchbay.tools.commands import CommandEnd, Commands
from patchbay.tools.sandbox import Kind, Sandbox, SandboxSettings


class CommandBench:
    """Runs commands and keeps what they wrote (its last 100 kB) and how much it was."""

    def __init__(self, folder: Path, settings: SandboxSettings, *, namespaces: bool = True, kind: Kind | None = None):
        self.root = folder / "repo"
        self.home = folder / "home"
        self.state = folder / "state"
        for each in (self.root, self.home, self.state):
            each.mkdir(parents=True, exist_ok=True)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        self.sandbox = Sandbox(
            settings,
            root=self.root,
            state_folder=self.state,
            environment=self.environment,
            kind=kind,
            namespaces=namespaces,
        )
        self.commands = Commands(
            root=self.root,
            environment=self.environment,
            sandbox=self.sandbox,
            output_folder=self.state / "output",
        )
        self.output = bytearray()
        self.received = 0

    async def run(self, line: str, timeout_s: float = 20, *, fenced: bool = True) -> CommandEnd:
        self.output.clear()
        self.received = 0

        def take(chunk: bytes) -> None:
            self.received += len(chunk)
            self.output.extend(chunk)
            del self.output[:-100_000]

        return await self.commands.run(line, timeout_s=timeout_s, on_output=take, fenced=fenced)

    def text(self) -> str:
        return self.output.decode("utf-8", "replace")


def processes() -> dict[int, tuple[int, str, str]]:
    """Every process: its parent, its state (``Z`` for a zombie) and its name."""
    found: dict[int, tuple[int, str, str]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{name}/stat").read_text("utf-8", "replace")
        except OSError:
            continue
        before, _, after = text.rpartition(")")
        fields = after.split()
        found[int(name)] = (int(fields[1]), fields[0], before.partition("(")[2])
    return found


def working_in(folder: Path) -> list[int]:
    """Processes whose working folder is at or below ``folder``."""
    found: list[int] = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if Path(os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)")).is_relative_to(folder):
                found.append(int(name))
        except OSError:
            continue
    return found


def resident_bytes() -> int:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def no_new_zombies() -> Iterator[None]:
    """Fail when this process has ended children that nobody has collected."""
    yield
    zombies = [pid for pid, (parent, state, _) in processes().items() if parent == os.getpid() and state == "Z"]
    assert zombies == []
