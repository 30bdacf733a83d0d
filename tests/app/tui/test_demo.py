"""The demo from its first frame to its end, with the real tools and a person's keys."""

import asyncio
import os
import subprocess
import sys

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.engine.state import Phase
from patchbay.app.settings import load_settings
from patchbay.app.tui.app import PatchbayApp
from patchbay.app.tui.control import Preferences
from patchbay.app.tui.widgets.approval import ApprovalBar
from patchbay.providers.demo import DEMO_PROMPT
from patchbay.providers.pricing import cost_of


async def test_the_demo_really_mends_its_sample_project(tmp_path):
    settings = load_settings(tmp_path, environ=os.environ)
    runtime = open_runtime(settings, Wish(folder=tmp_path, demo=True, demo_tokens_per_second=0))
    session = runtime.session
    app = PatchbayApp(runtime, Preferences(first_prompt=DEMO_PROMPT), cost_of=cost_of)
    code = session.folder / "lighthouse" / "morse.py"
    before = code.read_text()
    asked = []
    async with app.run_test(size=(160, 48)) as pilot:
        async with asyncio.timeout(40):
            while session.state.phase is not Phase.IDLE or not session.state.transcript:
                await pilot.pause(0.02)
                waiting = session.state.approvals
                if waiting and waiting[0].approval_id not in asked and app.screen.query_one(ApprovalBar).has_focus:
                    asked.append(waiting[0].approval_id)
                    app.screen.query_one(ApprovalBar)._deaf.end()
                    await pilot.press("y")
        await pilot.pause(0.1)
    await runtime.aclose()
    assert len(asked) == 3, "two edits and one command"
    assert code.read_text() != before
    assert [run.outcome for run in session.state.runs] == ["ok"] * 5
    assert {diff.path for diff in session.state.files} == {"lighthouse/morse.py", "tests/test_morse.py"}
    assert session.state.totals.output_tokens > 100
    ran = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=session.folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
