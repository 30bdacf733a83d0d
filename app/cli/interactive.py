"""``patchbay [PATH]``: the full-screen application, and what happens where there is no terminal for it."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...providers.demo import DEMO_PROMPT
from ...tools.events import Decision
from ..engine.database import DatabaseError
from ..paths import find_paths
from ..settings import Settings, SettingsError
from .arguments import ExitCode
from .compose import Wish, open_runtime
from .headless import run_prompt
from .prepared import Prepared, prepare
from .progress import Progress
from .run import final_line
from .runtime import Runtime
from .sessions import folder_of

MAKE_RUN = "PATCHBAY_MAKE_RUN"
"""Set by ``make run`` alone: without a terminal it plays the demo, so that a fresh clone shows something."""


def interactive_command(options: argparse.Namespace) -> int:
    """Open the screen on a folder and return the exit code. Raises SettingsError."""
    from_make = os.environ.pop(MAKE_RUN, "") == "1"  # taken out: what we start must not inherit it
    folder: Path = options.path
    if not folder.is_dir():
        state = "is no folder" if folder.exists() else "does not exist"
        raise SettingsError(f"{folder} {state}. Name a folder to work in; `patchbay --help` lists the commands.")
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not has_terminal and not from_make:
        raise SettingsError('there is no terminal here. Use patchbay run -p "..." for a prompt without a screen.')
    if (
        options.session is not None
        and (home := folder_of(find_paths(os.environ).database, options.session)) is not None
    ):
        folder = home  # a session is worked on where it began, wherever it is asked for
    prepare_in = partial(prepare, options)
    prepared = prepare_in(folder)
    wish = Wish(
        folder=folder,
        model=options.model,
        resume=options.resume,
        session=options.session,
        demo=options.demo or not has_terminal,
        record=options.record,
        trust=prepared.trust,
        titles=has_terminal,
        max_cost=options.max_cost,
    )
    try:
        return _show(wish, prepared, prepare_in) if has_terminal else _play_demo(prepared.settings, folder)
    except DatabaseError as error:
        raise SettingsError(str(error)) from None


def _show(wish: Wish, prepared: Prepared, prepare_in: Callable[[Path], Prepared]) -> int:
    gc.disable()  # a start makes many objects and throws none away; ``run_screen`` turns it on again
    from .screen import run_screen  # brings Textual with it: nothing without a terminal may load it

    return run_screen(wish, prepared, prepare_in)


def _play_demo(settings: Settings, folder: Path) -> int:
    """Play the demo's task in its own throw-away folder, print the transcript, and approve what its script asks."""
    wish = Wish(folder=folder, demo=True, demo_tokens_per_second=0)
    return asyncio.run(_play(open_runtime(settings, wish)))


async def _play(runtime: Runtime) -> int:
    sys.stdout.write("No terminal here, so this is the demo (no model) without its screen.\n\n")
    try:
        if problem := await runtime.start():
            raise SettingsError(problem)
        progress = Progress(sys.stdout, transcript=True)
        report, code = await run_prompt(runtime.session, DEMO_PROMPT, sinks=(progress,), decision=Decision.ONCE)
    finally:
        await runtime.aclose()
    sys.stdout.write(f"{final_line(report)}\n")
    if report.error is not None:
        sys.stderr.write(f"patchbay: {report.error['message']}\n")
    return code if code else ExitCode.OK
