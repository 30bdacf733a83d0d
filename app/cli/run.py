"""``patchbay run``: one prompt for scripts. Answer on standard output, progress on standard error."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...providers.redact import redact_registered
from ...tools.safe_text import safe_text
from ..engine.codec import encode
from ..engine.database import DatabaseError
from ..engine.events import NOT_JOURNALLED, Stamped
from ..settings import SettingsError
from .arguments import ExitCode
from .compose import Wish, open_runtime
from .headless import configuration_error, run_prompt, to_json
from .instructing import tell_withheld
from .prepared import prepare
from .progress import Progress
from .report import RunReport
from .runtime import Runtime

if TYPE_CHECKING:
    from ..engine.session import Session


def run_command(options: argparse.Namespace) -> int:
    """Run the prompt and return the exit code; whatever goes wrong is said in the asked-for form of output."""
    output: str = options.output
    folder = Path.cwd()
    try:
        prompt = _prompt(options.prompt)
        prepared = prepare(options, folder, person=False, step_limit=options.max_steps)
        wish = Wish(
            folder=folder,
            model=options.model,
            resume=options.resume,
            session=options.session,
            allow=tuple(options.allow),
            record=options.record,
            trust=prepared.trust,
            max_cost=options.max_cost,
        )
        return asyncio.run(_run(open_runtime(prepared.settings, wish), prompt, output))
    except (SettingsError, DatabaseError) as error:
        return _refuse(str(error), output)


def final_line(report: RunReport) -> str:
    """Tokens and money of a run in a few words, for standard error."""
    usage, cost = report.usage, report.cost
    read = sum(usage[counter] or 0 for counter in ("input_tokens", "cache_read_tokens", "cache_write_tokens"))
    counted = usage["input_tokens"] is not None
    tokens = f"{read:,} tokens in, {usage['output_tokens'] or 0:,} out" if counted else "tokens not counted"
    match cost.amount:
        case None:
            return f"   {tokens}, price unknown"
        case amount if not amount:
            return f"   {tokens}, free"
        case amount:
            return f"   {tokens}, ${amount:f} ({cost.source.value})"


async def _run(runtime: Runtime, prompt: str, output: str) -> int:
    try:
        if problem := await runtime.start():
            return _refuse(f"{problem}\n`patchbay doctor` says what to do.", output)
        await runtime.know_window()
        session = runtime.session
        tell_withheld(runtime.trust)
        sinks = (_lines(session),) if output == "jsonl" else ()
        attaching = runtime.attaching
        gathered = None if attaching is None else await attaching.gather(prompt, session.state.model)
        report, code = await run_prompt(session, prompt, gathered=gathered, sinks=(Progress(sys.stderr), *sinks))
    finally:
        await runtime.aclose()
    match output:
        case "json":
            sys.stdout.write(to_json(report.summary(session.state.session_id)) + "\n")
        case "text" if report.text:
            text = redact_registered(safe_text(report.text) if sys.stdout.isatty() else report.text)
            sys.stdout.write(text.rstrip("\n") + "\n")
        case _:
            pass
    sys.stdout.flush()
    sys.stderr.write(final_line(report) + "\n")
    if report.error is not None:
        sys.stderr.write(f"patchbay: {safe_text(report.error['message'])}\n")
    return code


def _prompt(given: str) -> str:
    prompt = sys.stdin.read() if given == "-" else given
    if not prompt.strip():
        raise SettingsError('The prompt is empty. Give one with -p "...", or with -p - on standard input.')
    return prompt


def _lines(session: "Session") -> Callable[[Stamped], None]:
    """Writes each event of the journal as one line; stops the turn when nobody reads on."""

    def write(stamped: Stamped) -> None:
        if isinstance(stamped.event, NOT_JOURNALLED):
            return
        try:
            sys.stdout.write(to_json(encode(stamped)) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            session.cancel()
            raise

    return write


def _refuse(message: str, output: str) -> int:
    if output == "json":
        sys.stdout.write(to_json(configuration_error(message)) + "\n")
    sys.stderr.write(f"patchbay: {safe_text(message)}\n")
    return ExitCode.USAGE
