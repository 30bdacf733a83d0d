"""``patchbay verify``: the project's checks without a screen, and a model that mends what fails."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, TextIO

from ...providers.redact import redact_registered
from ...tools.events import Decision
from ...tools.safe_text import reveal, safe_line, safe_text
from ..engine.database import DatabaseError
from ..engine.events import Stamped
from ..engine.verify_events import Check, CheckFinished, CheckStarted, VerifyEnded, VerifyOutcome, VerifyStarted
from ..settings import Settings, SettingsError
from ..trust import FolderTrust
from .arguments import ExitCode
from .checking import verify_rules
from .compose import Wish, open_runtime
from .headless import run_checks, to_json
from .instructing import tell_withheld
from .prepared import prepare
from .progress import Progress
from .runtime import Runtime

_CODES = {
    VerifyOutcome.GREEN: 0,
    VerifyOutcome.RED: 1,
    VerifyOutcome.ROUND_LIMIT: 1,
    VerifyOutcome.NO_CHECKS: 2,
    VerifyOutcome.INCOMPLETE: 3,
    VerifyOutcome.BUDGET: 4,
    VerifyOutcome.TURN_FAILED: 5,
    VerifyOutcome.INTERRUPTED: 5,
    VerifyOutcome.CANCELLED: 130,
}


def verify_command(options: argparse.Namespace) -> int:
    """Verify the current folder and return the exit code (``arguments.VERIFY_CODES``). Raises ``SettingsError``."""
    folder = Path.cwd()
    prepared = prepare(options, folder, person=False)
    settings = prepared.settings
    for warning in settings.warnings:
        sys.stderr.write(f"   note: {safe_line(redact_registered(warning))}\n")
    if options.list:
        return _list(verify_rules(settings, folder).find(), as_json=options.json)
    try:
        return _verify(settings, prepared.trust, options)
    except DatabaseError as error:
        raise SettingsError(str(error)) from None


def _verify(settings: Settings, trust: FolderTrust, options: argparse.Namespace) -> int:
    folder = Path.cwd()
    decision = Decision.ONCE if options.yes else Decision.DENY
    if decision is Decision.DENY and sys.stdin.isatty() and sys.stderr.isatty():
        checks = verify_rules(settings, folder).find()
        decision = Decision.ONCE if checks and _agreed(checks) else Decision.DENY
    wish = Wish(
        folder=folder,
        model=options.model,
        resume=options.resume,
        session=options.session,
        allow=tuple(options.allow),
        record=options.record,
        trust=trust,
        max_cost=options.max_cost,
    )
    rounds = settings.verify.rounds if options.rounds is None else options.rounds
    return asyncio.run(_run(open_runtime(settings, wish), rounds, decision, as_json=options.json))


async def _run(runtime: Runtime, rounds: int, decision: Decision, *, as_json: bool) -> int:
    told = _Told(sys.stderr)
    try:
        problem = await runtime.start()
        tell_withheld(runtime.trust)
        if problem and rounds:
            raise SettingsError(f"{problem}\n`patchbay doctor` says what to do; --rounds 0 only checks.")
        code = await run_checks(runtime.session, rounds, sinks=(told, Progress(sys.stderr)), checks=decision)
    finally:
        await runtime.aclose()
    if told.ended is None:
        return code or ExitCode.FAILED
    if as_json:
        sys.stdout.write(to_json(told.summary(runtime.session.state.session_id)) + "\n")
    else:
        sys.stdout.write(f"{safe_text(told.ended.message)}\n")
    sys.stdout.flush()
    return code or _CODES[told.ended.outcome]


def _list(checks: tuple[Check, ...], *, as_json: bool) -> int:
    if as_json:
        rows = [{"name": each.name, "command": each.command, "origin": each.origin} for each in checks]
        sys.stdout.write(to_json({"checks": rows}) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(checks)) or "No checks were found.\n")
    return ExitCode.OK if checks else ExitCode.USAGE


def _lines(checks: tuple[Check, ...]) -> list[str]:
    return [f"  {safe_line(reveal(check.command))}  ({safe_line(check.origin)})" for check in checks]


def _agreed(checks: tuple[Check, ...]) -> bool:
    """Ask the person at the terminal once, for all checks and rounds."""
    sys.stderr.write("\n".join(["These checks run code of this folder:", *_lines(checks), "Run them? [y/N] "]))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class _Told:
    """Attach it to the bus: says how each check went, and keeps the outcome."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._checks: tuple[Check, ...] = ()
        self._results: dict[int, CheckFinished] = {}
        self.ended: VerifyEnded | None = None

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case VerifyStarted(checks=checks):
                self._checks = checks
            case CheckStarted(index=index, round=number):
                self._say(f"-- check {safe_line(self._checks[index].name)}" + (f" (round {number})" if number else ""))
            case CheckFinished() as finished:
                self._results[finished.index] = finished
                name = safe_line(self._checks[finished.index].name)
                took = f"{finished.duration_s:.1f} s"
                self._say(f"   {finished.outcome}: {name} ({safe_line(finished.summary)}, {took})")
            case VerifyEnded() as ended:
                self.ended = ended
            case _:
                pass

    def summary(self, session_id: str) -> dict[str, Any]:
        """The result as plain values: each check with its last run."""
        if self.ended is None:
            return {}
        rows = [
            {"name": check.name, "command": check.command, "outcome": result.outcome.value, "summary": result.summary}
            for index, check in enumerate(self._checks)
            if (result := self._results.get(index)) is not None
        ]
        return {
            "outcome": self.ended.outcome.value,
            "rounds": self.ended.rounds,
            "message": self.ended.message,
            "checks": rows,
            "session_id": session_id,
        }

    def _say(self, line: str) -> None:
        self._out.write(f"{redact_registered(line)}\n")
        self._out.flush()
