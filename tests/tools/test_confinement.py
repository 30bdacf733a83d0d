from dataclasses import replace

import pytest

from patchbay.tools.base import Mode
from patchbay.tools.confinement import Confinement, Trust
from patchbay.tools.events import Decision
from patchbay.tools.policy import Action, Policy, Request, Rule, Ruling

COMMAND = Request(tool="bash", action=Action.RUN, command="pytest -q")
POLICY = Policy([Rule.parse("bash:pytest *", origin="settings")])


def ruling(confinement: Confinement, request: Request = COMMAND) -> Ruling:
    return confinement.judge(request, POLICY.judge(request)).decision


def test_a_trusted_folder_leaves_it_to_the_policy():
    verdict = POLICY.judge(COMMAND)
    assert Confinement().judge(COMMAND, verdict) is verdict
    assert Confinement().may_start_programs


def test_the_first_command_asks_where_nothing_is_known():
    confinement = Confinement(Trust.FIRST_ASKS)
    assert (ruling(confinement), confinement.may_start_programs) == (Ruling.ASK, False)
    confinement.learn(COMMAND, Decision.DENY)
    assert ruling(confinement) is Ruling.ASK
    confinement.learn(COMMAND, Decision.ONCE)
    assert (ruling(confinement), confinement.may_start_programs) == (Ruling.ALLOW, True)


def test_every_command_asks_in_an_untrusted_folder_but_what_was_said_about_this_session():
    confinement = Confinement(Trust.NONE)
    confinement.learn(COMMAND, Decision.ONCE)
    assert (ruling(confinement), confinement.may_start_programs) == (Ruling.ASK, False)
    other = replace(COMMAND, command="pytest tests")
    confinement.learn(COMMAND, Decision.SESSION)
    assert (ruling(confinement), ruling(confinement, other)) == (Ruling.ALLOW, Ruling.ASK)
    assert ruling(Confinement(Trust.NONE, given=["bash:pytest *"])) is Ruling.ALLOW


def test_always_is_not_offered_where_it_would_not_count():
    command = Request(tool="bash", action=Action.RUN, command="ruff check")
    verdict = POLICY.judge(command)
    assert verdict.pattern is not None
    assert Confinement(Trust.NONE).judge(command, verdict).pattern is None


@pytest.mark.parametrize("mode", Mode)
def test_modes_that_do_not_ask_need_trust(mode):
    refused = mode in (Mode.ACCEPT_EDITS, Mode.AUTO)
    assert bool(Confinement(Trust.NONE).refuses(mode)) == refused
    assert Confinement().refuses(mode) == ""


async def test_git_is_not_started_in_an_untrusted_folder(make_bench, tmp_path):
    bench = make_bench("bash", environment={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin/git"
    git.write_text(f"#!/bin/sh\ntouch {tmp_path / 'asked'}\n")
    git.chmod(0o755)
    bench.file("a.txt", "here")
    bench.toolbox.confine(Trust.NONE)
    assert "a.txt" in (await bench.run("glob", pattern="*.txt")).content
    assert "here" in (await bench.run("grep", pattern="here")).content
    assert not (tmp_path / "asked").exists()
    bench.toolbox.confine(Trust.FULL)
    await bench.run("glob", pattern="*.txt")
    assert (tmp_path / "asked").exists()


async def test_a_relative_entry_of_path_is_not_searched(make_bench, tmp_path):
    bench = make_bench("bash:**", environment={"PATH": ".::/usr/bin:/bin"})
    program = bench.file("ls", f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    bench.file("bash", program.read_bytes()).chmod(0o755)
    await bench.run("bash", command="ls")
    assert not (tmp_path / "ran").exists()
