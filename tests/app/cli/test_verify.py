"""``patchbay verify`` as a script sees it: the whole program, a real project, a server on loopback."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.chat_server import ChatServer, calling, chat_server, failing, saying
from support.sessions import until
from support.verifying import LINT, TESTS, running_in, sample_project

EDITS = {"test": ("return a - b", "return a + b"), "lint": ("import os\n", "")}


def mending(what: str) -> list:
    old, new = EDITS[what]
    edits = {"path": "calc.py", "edits": [{"old_text": old, "new_text": new}]}
    return [calling("read", {"path": "calc.py"}), calling("edit", edits), saying(f"{what} mended")]


class Desk:
    def __init__(self, home: Path, folder: Path) -> None:
        self.config = home / ".config/patchbay/config.toml"
        self.config.parent.mkdir(parents=True)
        self.folder = sample_project(folder)

    def configure(self, server: ChatServer | None, *, checks: tuple[str, ...] = (TESTS, LINT), more: str = "") -> None:
        provider = f'[providers.mock]\nbase_url = "{server.base_url}"\nmodel = "m"\n' if server else ""
        table = f"[verify]\nchecks = {json.dumps(checks)}\n" if checks else ""
        self.config.write_text(f"{table}{more}\n{provider}")

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "patchbay", "verify", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=50)
        return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def desk(own_home: Path, tmp_path: Path) -> Desk:
    return Desk(own_home, tmp_path / "project")


def test_green_after_two_rounds(desk: Desk) -> None:
    with chat_server(*mending("test"), *mending("lint")) as server:
        desk.configure(server)
        done = desk.run("--yes", "--mode", "accept-edits")
    assert (done.returncode, done.stdout) == (0, "Verify: green after 2 rounds, all 2 checks pass.\n"), done.stderr
    assert "-- check unittest\n" in done.stderr and "-- check lint.py (round 2)" in done.stderr
    told = server.requests[0]["messages"][-1]["content"]
    assert "AssertionError: -1 != 5" in str(told) and "F401" in str(told)


def test_the_round_limit_has_its_own_words_and_a_code(desk: Desk) -> None:
    with chat_server(*mending("test")) as server:
        desk.configure(server, more="rounds = 1")
        done = desk.run("--yes", "--mode", "accept-edits", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"], result["rounds"]) == (1, "round_limit", 1)
    assert {row["name"]: row["outcome"] for row in result["checks"]} == {"unittest": "passed", "lint.py": "failed"}


def test_rounds_0_needs_no_model(desk: Desk) -> None:
    desk.configure(None)
    done = desk.run("--yes", "--rounds", "0")
    assert (done.returncode, done.stdout) == (1, "Verify: unittest and lint.py failed.\n")


def test_without_a_yes_nothing_runs(desk: Desk) -> None:
    desk.configure(None, checks=(f'{sys.executable} -c \'open("ran", "w")\'',))
    done = desk.run("--rounds", "0")
    assert done.returncode == 3 and "not run: python" in done.stdout
    assert not (desk.folder / "ran").exists()
    assert desk.run("--rounds", "0", "--yes").returncode == 0
    assert (desk.folder / "ran").exists()


def test_a_yes_to_checks_is_none_to_what_the_model_wants(desk: Desk) -> None:
    with chat_server(*mending("test")) as server:
        desk.configure(server)
        done = desk.run("--yes", "--rounds", "1")
    assert done.returncode == 1
    assert "denied: edit calc.py" in done.stderr
    assert "return a - b" in (desk.folder / "calc.py").read_text()


def test_what_destroys_is_not_covered_by_yes(desk: Desk) -> None:
    (desk.folder / "precious").mkdir()
    desk.configure(None, checks=("rm -rf precious ~/x /",))
    done = desk.run("--rounds", "0", "--yes")
    assert done.returncode == 3 and (desk.folder / "precious").exists()


def test_a_failed_turn_has_its_own_code(desk: Desk) -> None:
    with chat_server(failing(401, "no such key")) as server:
        desk.configure(server)
        done = desk.run("--yes")
    assert done.returncode == 5 and "the model's turn failed" in done.stdout


def test_a_budget_that_no_request_fits_ends_it_at_once_and_says_so(desk: Desk) -> None:
    price = '[pricing."m"]\ninput_per_mtok = 3\noutput_per_mtok = 15\n'
    with chat_server(*mending("test")) as server:
        desk.configure(server, more=f"\n{price}")
        done = desk.run("--yes", "--max-cost", "0.000001")
    assert (done.returncode, server.requests) == (4, [])
    assert done.stdout == "Verify: stopped at the budget; unittest and lint.py still failed.\n"
    assert "$0.00 of $0.000001 for this session is spent, and the next request may cost" in done.stderr


def test_list_runs_nothing_and_finds_what_files_name(desk: Desk) -> None:
    desk.configure(None, checks=())
    (desk.folder / "Makefile").write_text("test:\n\ttouch ran\n")
    done = desk.run("--list")
    assert (done.returncode, done.stdout) == (0, "  make test  (Makefile)\n")
    (desk.folder / "Makefile").unlink()
    (desk.folder / "test_calc.py").unlink()
    assert desk.run("--list").returncode == 2


def test_a_projects_own_file_may_name_checks_when_it_is_trusted_and_nothing_else(desk: Desk) -> None:
    desk.configure(None, checks=())
    own = desk.folder / ".patchbay/config.toml"
    own.parent.mkdir()
    own.write_text('[verify]\nchecks = ["make everything"]\nauto = true\n[telemetry]\notlp_endpoint = "http://x"\n')
    assert "make everything" not in desk.run("--list").stdout
    assert desk.run("--list", "--trust").stdout == "  make everything  (settings)\n"
    done = desk.run("--trust", "--rounds", "0")
    assert done.returncode == 3
    assert "'verify.auto' is ignored" in done.stderr and "'telemetry' is ignored" in done.stderr


async def test_ctrl_c_ends_it_and_everything_it_started(desk: Desk) -> None:
    script = "import os,time\nopen('pid.tmp','w').write('x'); os.rename('pid.tmp','pid')\ntime.sleep(600)\n"
    (desk.folder / "slow.py").write_text(script)
    desk.configure(None, checks=(f"{sys.executable} slow.py",))
    process = desk.start("--yes", "--rounds", "0")
    await until(lambda: (desk.folder / "pid").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 130, err
    assert out == "Verify: cancelled. Nothing of it runs any more.\n"
    assert running_in(desk.folder) == []


@pytest.mark.parametrize("words", [["--rounds", "99"], ["--rounds", "x"]])
def test_wrong_usage(desk: Desk, words: list[str]) -> None:
    desk.configure(None)
    assert desk.run(*words).returncode == 2


def test_what_is_not_used_in_a_folder_nobody_trusts_is_said(desk: Desk) -> None:
    desk.configure(None)
    (desk.folder / "AGENTS.md").write_text("Be brief.\n")
    done = desk.run("--yes", "--rounds", "0")
    assert "   AGENTS.md is not used: nobody said that this folder is trusted (--trust)\n" in done.stderr
