"""The full-screen application: wires a session to its user interface, and starts over when the demo is asked for."""

import asyncio
import os
import sys
from collections.abc import Callable

from ...providers.demo import DEMO_PROMPT
from ...providers.pricing import cost_of
from ..kept_models import KeptModels
from ..settings import Settings, SettingsError
from ..tui.actions import KeymapError
from ..tui.app import PatchbayApp
from ..tui.control import Ending, Preferences
from .arguments import ExitCode
from .compose import Runtime, Wish, open_runtime


def run_screen(settings: Settings, wish: Wish, read_settings: Callable[[], Settings] | None = None) -> int:
    """Show the screen until the person leaves; returns the exit code. Raises ``SettingsError``, ``DatabaseError``.

    ``read_settings`` reads them anew, once the folder is trusted.
    """
    return asyncio.run(_run(settings, wish, read_settings))


async def _run(settings: Settings, wish: Wish, read_settings: Callable[[], Settings] | None) -> int:
    while True:
        runtime = open_runtime(settings, wish)
        try:
            ending = await _show(settings, runtime)
        finally:
            await runtime.aclose()
        if runtime.demo:
            sys.stderr.write(f"The demo's project is in {runtime.session.folder}\n")
        match ending:
            case Ending.RELOAD if read_settings is not None:
                settings = read_settings()
            case Ending.DEMO:
                wish = Wish(folder=wish.folder, demo=True)
            case _:
                return ExitCode.OK


async def _show(settings: Settings, runtime: Runtime) -> Ending:
    preferences = Preferences(
        theme=settings.theme,
        keys=settings.keys,
        ascii=settings.ascii or not _can_show_signs(),
        history_file=runtime.paths.state_folder / "prompts.jsonl",
        config_file=settings.config_file,
        asked_model=runtime.wished,
        first_prompt=DEMO_PROMPT if runtime.demo else None,
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
