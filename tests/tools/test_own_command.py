import asyncio
import os

import pytest

from patchbay.tools.confinement import Confinement, Trust
from patchbay.tools.events import Outcome, ToolOutputDelta
from patchbay.tools.policy import Policy
from patchbay.tools.toolbox import LocalToolbox


@pytest.fixture
async def toolbox(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OPENAI_API_KEY": "sk-secret"}
    toolbox = LocalToolbox(
        root,
        Policy([], remember=lambda _: None),
        state_folder=tmp_path / "state",
        environment=environment,
        confinement=Confinement(Trust.NONE),
    )
    yield toolbox
    await toolbox.aclose()


async def run(toolbox, command, *, events=None, max_bytes=10_000):
    heard = [] if events is None else events
    return await toolbox.for_person.run(run_id="own-1", command=command, emit=heard.append, max_bytes=max_bytes)


async def test_it_runs_unasked_in_the_workspace_also_in_an_untrusted_folder(toolbox, tmp_path):
    events = []
    done = await run(toolbox, "pwd; echo oops >&2; touch made; exit 3", events=events)
    assert (done.outcome, done.exit_status, done.summary) == (Outcome.ERROR, 3, "exit 3")
    assert done.content == f"{os.path.realpath(tmp_path / 'project')}\noops\n"
    assert (tmp_path / "project/made").exists()
    assert "".join(event.text for event in events if isinstance(event, ToolOutputDelta)) == done.content


async def test_no_key_is_in_its_environment_and_control_characters_go(toolbox):
    done = await run(toolbox, r"echo [$OPENAI_API_KEY]; printf 'a\033[31mb\n'")
    assert done.content == "[]\nab\n"
    assert done.outcome is Outcome.OK


async def test_long_output_is_bounded_and_kept_in_a_file(toolbox):
    done = await run(toolbox, "seq 1 20000", max_bytes=1000)
    assert len(done.content) < 1400
    assert done.content.startswith("1\n2\n")
    assert done.content.endswith("\n20000\n")
    assert "bytes left out; whole output (grep or read it):" in done.content


async def test_cancelling_stops_it_and_keeps_what_came(toolbox, until):
    events = []
    task = asyncio.create_task(run(toolbox, "echo begun; exec sleep 600", events=events))
    await until(lambda: bool(events))
    task.cancel()
    done = await task
    assert (done.outcome, done.content, done.summary) == (Outcome.CANCELLED, "begun\n", "stopped")


async def test_what_cannot_be_started_says_so(toolbox):
    done = await run(toolbox, "echo \0")
    assert done.outcome is Outcome.ERROR
    assert "could not be started" in done.content
