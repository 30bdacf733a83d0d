"""The full-screen application: wires a session to its screen, and starts over for the demo or another session."""

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...providers.demo import DEMO_PROMPT
from ...providers.pricing import cost_of
from ..kept_models import KeptModels
from ..settings import Settings, SettingsError
from ..tui.actions import KeymapError
from ..tui.app import PatchbayApp
from ..tui.control import Ending, Leaving, Preferences
from ..tui.sessions import OpenSession
from .arguments import ExitCode
from .compose import Wish, open_runtime
from .prepared import Prepared
from .runtime import Runtime

_STARTED_S = 2.0
"""After this time garbage is looked for (again): the first frame is painted long before."""


def run_screen(wish: Wish, prepared: Prepared, prepare: Callable[[Path], Prepared]) -> int:
    """Show the screen until the person leaves; returns the exit code. Raises ``SettingsError``, ``DatabaseError``.

    ``prepare`` says what holds in another folder, when a session of it is opened.
    """
    return asyncio.run(_run(wish, prepared, prepare))


async def _run(asked: Wish, prepared: Prepared, prepare: Callable[[Path], Prepared]) -> int:
    settings, wish = prepared.settings, asked
    asyncio.get_running_loop().call_later(_STARTED_S, _collect_garbage)
    while True:
        runtime = open_runtime(settings, wish)
        try:
            ending = await _show(settings, runtime)
        finally:
            await runtime.aclose()
        if runtime.demo:
            sys.stderr.write(f"The demo's project is in {runtime.session.folder}\n")
        match ending:
            case Ending.RELOAD:
                settings = prepared.read_settings()
            case Ending.DEMO:
                wish = Wish(folder=wish.folder, demo=True)
            case OpenSession():
                if not _same_folder(wish, ending):
                    prepared = prepare(Path(ending.folder))
                    settings = prepared.settings
                wish = _other(asked, prepared, ending)
            case _:
                return ExitCode.OK


def _collect_garbage() -> None:
    """Look for garbage from here on, but not among what the start has made: a pause less while somebody types."""
    gc.freeze()
    gc.enable()


def _same_folder(wish: Wish, opening: OpenSession) -> bool:
    return not wish.demo and Path(opening.folder).resolve() == wish.folder.resolve()


def _other(asked: Wish, prepared: Prepared, opening: OpenSession) -> Wish:
    """The wish for another session: its own model and budget, or for a new one the model in use and what was asked."""
    return replace(
        asked,
        folder=Path(opening.folder),
        model=opening.model,
        resume=False,
        session=opening.session_id,
        demo=False,
        trust=prepared.trust,
        max_cost=None if opening.session_id else asked.max_cost,
    )


async def _show(settings: Settings, runtime: Runtime) -> Leaving:
    preferences = Preferences(
        theme=settings.theme,
        keys=settings.keys,
        ascii=settings.ascii or not _can_show_signs(),
        history_file=runtime.paths.state_folder / "prompts.jsonl",
        config_file=settings.config_file,
        asked_model=runtime.wished,
        first_prompt=DEMO_PROMPT if runtime.demo else None,
        attaching=runtime.attaching,
        pasting=runtime.pasting,
        trust=runtime.trust,
        shelf=KeptModels(runtime.paths.state_folder / "favourites.json", runtime.paths.database),
    )
    try:
        app = PatchbayApp(runtime, preferences, cost_of=cost_of)
    except KeymapError as error:
        raise SettingsError(f"{settings.config_file}: {error}") from None
    return await app.run_async() or Ending.QUIT


def _can_show_signs() -> bool:
    """Poor terminals (the Linux console, no UTF-8) get plain ASCII signs."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return encoding == "utf8" and os.environ.get("TERM", "") not in ("linux", "dumb", "vt100")
