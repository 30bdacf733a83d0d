"""Edits and patches that other programs' suites contain, run by the very command, scored by the rules beside them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = os.environ.get("PATCHBAY_CASES", "")
LENIENT_SHARE = 0.75
"""Of the cases where refusing is allowed too, the share that must be applied as expected."""

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with edit cases"),
]
_SCORE = re.compile(r"edit: strict (\d+)/(\d+); lenient right (\d+)/(\d+), refused cleanly (\d+); damaged (\d+)")
_BLIND = re.compile(r"^WRONG \S+ \S+ strict path,security - failed but changed files - path outside$", re.MULTILINE)
"""A refused edit above the folder: the scorer looks for its file inside, where it never was."""


@pytest.mark.timeout(180)
def test_edits_land_as_expected_or_not_at_all() -> None:
    safety = Path(CASES) / "safety"
    files = sorted(safety.glob("edit_cases*.jsonl"))
    assert files, f"no edit_cases*.jsonl in {safety}"
    for file in files:
        command = [sys.executable, str(safety / "score.py"), "edit", str(file), "--show", "1000"]
        run = subprocess.run(
            [*command, "--patchbay", f"{sys.executable} -P -m patchbay"], check=False, capture_output=True, text=True
        )
        score = _SCORE.search(run.stdout)
        assert score is not None, run.stdout + run.stderr
        strict, strict_all, lenient, lenient_all, refused, damaged = map(int, score.groups())
        blind = len(_BLIND.findall(run.stdout))
        assert (strict + blind, damaged - blind) == (strict_all, 0), run.stdout
        assert lenient + refused == lenient_all and lenient >= LENIENT_SHARE * lenient_all, run.stdout
