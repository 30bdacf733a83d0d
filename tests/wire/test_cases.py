"""Recorded answers of real services, read by the very command a person would use, scored by the rules beside them."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES = os.environ.get("PATCHBAY_CASES", "")
REQUIRED_SHARE = 0.95

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with recorded cases"),
]


def scorer(folder: Path) -> Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], list[str]]:
    spec = importlib.util.spec_from_file_location("score", folder / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.differences


def decode(cases: Path, *options: str) -> dict[str, dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-P", "-m", "patchbay", "wire", "decode", *options, str(cases)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    rows = (json.loads(line) for line in run.stdout.splitlines())
    return {row["id"]: row for row in rows}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("options", [(), ("--chunk", "7")], ids=["whole", "in pieces of 7 bytes"])
@pytest.mark.parametrize("family", ["anthropic_messages", "openai_chat"])
def test_recorded_answers_decode_as_expected(family: str, options: tuple[str, ...]) -> None:
    wire = Path(CASES) / "wire"
    differences = scorer(wire)
    rows = decode(wire / "cases" / family, *options)
    wrong: list[str] = []
    scored = 0
    for path in sorted((wire / "cases" / family).glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        want = json.loads((wire / "expected" / f"{case['id']}.json").read_text(encoding="utf-8"))
        if case["kind"] == "models" or want.get("scored") is False:
            continue
        scored += 1
        found = differences(case, want, rows[case["id"]]) if case["id"] in rows else ["no answer"]
        if found:
            wrong.append(f"{case['id']}: {', '.join(found)}")
    assert scored > 0
    assert scored - len(wrong) >= REQUIRED_SHARE * scored, f"{len(wrong)} of {scored} differ:\n" + "\n".join(wrong)
