"""Made-up lines through the gate: how long it takes, and whether what it lets through changes anything."""

import hashlib
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from patchbay.tools.shell_gate import ShellGate
from patchbay.tools.workspace import Workspace

from .confined import run_confined
from .shell_lines import LineMaker


@dataclass(slots=True)
class Figures:
    """What came out of a run. Times are in seconds."""

    seconds: list[float] = field(default_factory=list)
    let_through: int = 0
    ran: int = 0
    changed: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """The time that this share of the lines stayed within."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def make_workspace(folder: Path) -> Path:
    """A small repository with something of everything that lines ask for."""
    (folder / "src").mkdir(parents=True)
    (folder / "sub").mkdir()
    for name in ("a.txt", "file", "f", "file.txt", "src/a.py", "sub/b", "README.md", "names.txt"):
        (folder / name).write_text(f"{name}\nb a\n1 2\n")
    (folder / ".env").write_text("SECRET=1\n")
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "src"], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, env=clean, check=True, capture_output=True)
    return folder


def fuzz(seed: int, count: int, folder: Path, *, run: bool) -> Figures:
    """Put ``count`` lines through a gate for ``folder``, and run what it lets through when ``run`` is set."""
    gate = ShellGate(Workspace(folder), home=Path("/home/u"))
    figures = Figures()
    maker = LineMaker(seed)
    before = _state(folder)
    for _ in range(count):
        line = maker.line()
        started = time.perf_counter()
        reading = gate.read(line)
        figures.seconds.append(time.perf_counter() - started)
        if reading.reads_only or reading.loud is not None:
            continue
        figures.let_through += 1
        if run and "\0" not in line:
            figures.ran += 1
            run_confined(line, folder=folder)
            after = _state(folder)
            if after != before:
                figures.changed.append(line)
                before = after
    return figures


def _state(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file with its mode and content. The index of git holds times that git itself brings up to date."""
    state: dict[str, tuple[int, str]] = {}
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(base, name)
            status = os.lstat(path)
            content = hashlib.sha256(Path(path).read_bytes()).hexdigest() if os.path.isfile(path) else ""
            if not path.endswith("/.git/index"):
                state[os.path.relpath(path, folder)] = (status.st_mode, content)
    return state
