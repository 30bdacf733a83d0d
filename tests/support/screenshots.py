"""Draws the pictures of the README: plays the demo on the real screen, without a terminal, and saves what it shows.

Run it as ``python tests/support/screenshots.py docs``. It writes SVG files, and PNG files where ``rsvg-convert``
is installed.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.cli.runtime import Runtime
from patchbay.app.engine.state import Phase
from patchbay.app.settings import load_settings
from patchbay.app.tui.app import PatchbayApp
from patchbay.app.tui.control import Preferences
from patchbay.providers.demo import DEMO_PROMPT
from patchbay.providers.pricing import cost_of

SIZES = ((160, 48), (80, 24))
THEMES = ("dark", "light")


async def until(pilot: Pilot[object], runtime: Runtime, phase: Phase) -> None:
    """Wait for a phase, a minute at most."""
    async with asyncio.timeout(60):
        while runtime.session.state.phase is not phase:
            await pilot.pause(0.02)
    await pilot.pause(0.5)


def save(app: PatchbayApp, file: Path) -> None:
    """Write the screen as SVG. Leading blanks are kept by viewers only when they are told to keep them."""
    svg = app.export_screenshot(title="Patchbay").replace("<text ", '<text xml:space="preserve" ')
    file.write_text(svg, encoding="utf-8")


async def draw(folder: Path, size: tuple[int, int], theme: str) -> list[Path]:
    """The demo at its question and at its end, in one size and theme."""
    environ = {"HOME": tempfile.mkdtemp(prefix="patchbay-home-"), "PATH": os.environ["PATH"]}
    wish = Wish(folder=Path.cwd(), demo=True, demo_tokens_per_second=0)
    runtime = open_runtime(load_settings(Path.cwd(), environ=environ), wish, environ)
    app = PatchbayApp(runtime, Preferences(theme=f"patchbay-{theme}", first_prompt=DEMO_PROMPT), cost_of=cost_of)
    name = f"{size[0]}x{size[1]}-{theme}"
    drawn = [folder / f"demo-{name}.svg", folder / f"question-{name}.svg"]
    async with app.run_test(size=size) as pilot:
        await until(pilot, runtime, Phase.APPROVAL)
        save(app, drawn[1])
        while runtime.session.busy:
            if runtime.session.state.phase is Phase.APPROVAL:
                await pilot.pause(0.4)
                await pilot.press("y")
            await pilot.pause(0.05)
        await until(pilot, runtime, Phase.IDLE)
        save(app, drawn[0])
    await runtime.aclose()
    return drawn


async def main(folder: Path) -> None:
    """All sizes and themes."""
    for size in SIZES:
        for theme in THEMES:
            for svg in await draw(folder, size, theme):
                if shutil.which("rsvg-convert"):
                    png = svg.with_suffix(".png")
                    subprocess.run(["rsvg-convert", "--zoom", "0.75", "-o", str(png), str(svg)], check=True)
                print(svg)


if __name__ == "__main__":
    sys.executable = "python3"  # the demo shows the command it runs: no path of this machine in a picture
    asyncio.run(main(Path(sys.argv[1])))
