"""Commands and paths judged by the very command line a person would use, scored by the rules beside the cases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = os.environ.get("PATCHBAY_CASES", "")

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with cases"),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["shell", "path"])
def test_cases(what: str) -> None:
    folder = Path(CASES) / "safety"
    files = sorted(folder.glob(f"{what}_cases*.jsonl"))
    assert files, f"no {what} cases in {folder}"
    for file in files:
        patchbay = f"{sys.executable} -P -m patchbay"
        run = subprocess.run(
            [sys.executable, str(folder / "score.py"), what, str(file), "--patchbay", patchbay],
            check=False,
            capture_output=True,
            text=True,
        )
        print(run.stdout)
        assert run.returncode == 0, run.stdout + run.stderr
