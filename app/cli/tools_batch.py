"""``patchbay tools call --batch``: many calls from a file, for measuring the tools against cases.

One JSON object a line: ``{"id", "workspace", "steps"}``, where a step is ``{"tool", "arguments"}`` or
``{"outside_write": {"path", "b64"}}``, which puts bytes into a file of the workspace as another program would. For
each line comes ``{"id", "results": [{"ok", "error"}]}`` with ``error`` null or ``{"kind", "message"}``, one result a
tool step. Every line has a toolbox of its own, that knows of no file yet. Questions are answered with yes, so
writing outside the workspace is refused.
"""

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ...tools.events import Outcome
from ...tools.policy import Policy
from ...tools.toolbox import LocalToolbox
from ..settings import SettingsError
from .arguments import ExitCode
from .headless import to_json
from .tools_call import blanket_yes


def run_batch(file: Path) -> int:
    """Run every line and print its results. Raises ``SettingsError`` for a line that is not as described above."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--batch {file}: {error}") from None
    with tempfile.TemporaryDirectory(prefix="patchbay-batch-") as state:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                answer = {"id": row["id"], "results": asyncio.run(_results(row, Path(state)))}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SettingsError(f"--batch {file}, line {number}: {type(error).__name__}: {error}") from None
            sys.stdout.write(to_json(answer) + "\n")
    return ExitCode.OK


async def _results(row: dict[str, Any], state: Path) -> list[dict[str, Any]]:
    workspace = Path(row["workspace"])
    toolbox = LocalToolbox(workspace, Policy(), state_folder=state, confined=True)
    try:
        return await _stepped(row, workspace, toolbox)
    finally:
        await toolbox.aclose()


async def _stepped(row: dict[str, Any], workspace: Path, toolbox: LocalToolbox) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for number, step in enumerate(row["steps"], 1):
        if "outside_write" in step:
            _write_behind(workspace, step["outside_write"])
            continue
        done = await toolbox.run(
            run_id=f"run-{number}",
            name=step["tool"],
            arguments=step["arguments"],
            emit=lambda _: None,
            approve=blanket_yes,
        )
        ok = done.outcome is Outcome.OK
        error = None if ok else {"kind": done.error_kind or done.outcome.value, "message": done.content}
        results.append({"ok": ok, "error": error})
    return results


def _write_behind(workspace: Path, write: dict[str, str]) -> None:
    target = (workspace / write["path"]).resolve()
    if not target.is_relative_to(workspace.resolve()):
        raise ValueError(f"outside_write: {write['path']} is not in the workspace")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(base64.b64decode(write["b64"], validate=True))
