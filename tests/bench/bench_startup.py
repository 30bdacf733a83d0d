"""What it costs to ask for the version, as a multiple of what Python itself costs to start."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 9
MOST = 4.0


def seconds(command: list[str], folder: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def test_version_costs_little_more_than_python(tmp_path: Path) -> None:
    bare = [sys.executable, "-c", "pass"]
    version = [sys.executable, "-P", "-m", "patchbay", "--version"]
    pairs = [(seconds(bare, tmp_path), seconds(version, tmp_path)) for _ in range(ROUNDS)]
    python, patchbay = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"\npython -c pass {python * 1e3:.0f} ms, patchbay --version {patchbay * 1e3:.0f} ms: {patchbay / python:.1f}x"
    )
    assert patchbay <= MOST * python
