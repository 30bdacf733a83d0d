"""``patchbay tools``: the tools a model gets, and any of them run by hand through the whole pipeline."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

from ...tools.base import ToolSchema
from ...tools.events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    FileChanged,
    Outcome,
    ToolEvent,
    ToolRunFinished,
)
from ...tools.safe_text import safe_line, safe_text
from ..settings import SettingsError, load_settings
from .arguments import ExitCode
from .compose import open_toolbox
from .headless import to_json


def tools_command(options: argparse.Namespace) -> int:
    """List the tools or call one; returns the exit code. Raises ``SettingsError``."""
    if options.action == "list":
        return _list(as_json=options.json)
    if options.batch is not None:
        if options.name is not None or options.arguments is not None:
            raise SettingsError("tools call: give either NAME with --json or --batch FILE.")
        from .tools_batch import run_batch

        return run_batch(options.batch)
    if options.name is None or options.arguments is None:
        raise SettingsError("""tools call needs a tool and its arguments: tools call read --json '{"path": "a.txt"}'""")
    return asyncio.run(_call(options, _arguments(options)))


def _list(*, as_json: bool) -> int:
    from ...tools.registry import TOOLS
    from ...tools.schemas import schema_of

    schemas = [schema_of(tool) for tool in TOOLS]
    if as_json:
        rows = [{"name": s.name, "description": s.description, "parameters": s.parameters} for s in schemas]
        sys.stdout.write(to_json({"tools": rows}) + "\n")
    else:
        sys.stdout.write("".join(f"{_signature(schema)}\n    {schema.description}\n" for schema in schemas))
    return ExitCode.OK


def _signature(schema: ToolSchema) -> str:
    """Like ``read(path, [offset], [limit])``."""
    required = schema.parameters.get("required", ())
    names = schema.parameters.get("properties", {})
    return f"{schema.name}({', '.join(name if name in required else f'[{name}]' for name in names)})"


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    text: str = options.arguments
    if text == "-":
        if not options.yes:
            raise SettingsError("--json - needs --yes: standard input cannot bring both the arguments and the answers.")
        text = sys.stdin.read()
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"--json is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise SettingsError("--json must be an object, with one member for each argument of the tool.")
    return cast("dict[str, Any]", value)


async def _call(options: argparse.Namespace, arguments: dict[str, Any]) -> int:
    folder = Path.cwd()
    settings = load_settings(folder, environ=os.environ, trusted=options.trust, config_file=options.config)
    toolbox = open_toolbox(settings, folder, allow=tuple(options.allow), confined=options.yes)
    events: list[ToolEvent] = []
    try:
        done = await toolbox.run(
            run_id="run-1",
            name=options.name,
            arguments=arguments,
            emit=events.append,
            approve=blanket_yes if options.yes else _ask,
        )
    finally:
        await toolbox.aclose()
    files = [event for event in events if isinstance(event, FileChanged)]
    if options.json_output:
        sys.stdout.write(to_json(_row(done, files)) + "\n")
    else:
        content = safe_text(done.content) if sys.stdout.isatty() else done.content
        (sys.stdout if done.outcome is Outcome.OK else sys.stderr).write(content.rstrip("\n") + "\n")
    match done.outcome:
        case Outcome.OK:
            return ExitCode.OK
        case Outcome.DENIED:
            return ExitCode.DENIED
        case _:
            return ExitCode.FAILED


def _row(done: ToolRunFinished, files: list[FileChanged]) -> dict[str, Any]:
    ok = done.outcome is Outcome.OK
    return {
        "ok": ok,
        "error": None if ok else {"kind": done.error_kind or done.outcome.value, "message": done.content},
        "outcome": done.outcome.value,
        "content": done.content,
        "summary": done.summary,
        "exit_status": done.exit_status,
        "duration_s": round(done.duration_s, 3),
        "files": [{"path": f.path, "created": f.created, "deleted": f.deleted} for f in files],
    }


async def blanket_yes(question: ApprovalRequested) -> ApprovalResolved:
    """Yes to everything but a loud question: that one is for a person who has read it."""
    return _answer(question, Decision.DENY if question.confirm else Decision.ONCE)


async def _ask(question: ApprovalRequested) -> ApprovalResolved:
    """The question on standard error, the answer from standard input; no answer is a no."""
    wanted = question.confirm or "y"
    sys.stderr.write(f"{safe_text(question.preview)}\n{safe_line(question.name)}: {safe_line(question.title)}\n")
    sys.stderr.write(f"{safe_line(question.reason)}\nType {safe_line(wanted)} to let it run: ")
    sys.stderr.flush()
    given = (await asyncio.to_thread(sys.stdin.readline)).strip()
    yes = given == question.confirm if question.confirm else given.casefold() in ("y", "yes")
    return _answer(question, Decision.ONCE if yes else Decision.DENY)


def _answer(question: ApprovalRequested, decision: Decision) -> ApprovalResolved:
    return ApprovalResolved(approval_id=question.approval_id, run_id=question.run_id, decision=decision)
