"""The local log: what is in it and what never is, its bounds, its modes, and several processes at once."""

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.cli.logs import logs_command
from patchbay.app.cli.observing import Observing
from patchbay.app.engine.defects import report
from patchbay.app.engine.events import NoticeLevel
from patchbay.app.engine.own_commands import OwnCommands
from patchbay.app.log_file import MAX_LINE_BYTES, Log, LogFile, line_of, log_path, note
from patchbay.app.paths import find_paths
from patchbay.app.settings import load_settings
from patchbay.providers.events import ErrorKind
from patchbay.providers.redact import remember_secret
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call
from support.sessions import FakeToolbox, make_session


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record(message: str, fields: dict | None = None, error: BaseException | None = None) -> logging.LogRecord:
    made = logging.LogRecord("patchbay", logging.INFO, "f", 1, message, None, (type(error), error, None))
    made.patchbay_fields = fields or {}
    return made


async def listed(arguments, emit, approve) -> str:
    return "the secret of the file"


async def observed(home: Path, *prompts: str, steps, level: str = "info") -> list[dict]:
    environ = {"HOME": str(home), "PATCHBAY_LOG_LEVEL": level}
    session, _ = make_session(ScriptedProvider("fake", steps), toolbox=FakeToolbox(list=listed))
    observing = Observing()
    paths = find_paths(environ)
    observing.begin(load_settings(home, environ=environ), session.bus, paths, environ)
    for prompt in prompts:
        session.submit(prompt)
        await session.wait_idle()
    await observing.aclose()
    path = log_path(paths.state_folder)
    return rows(path) if path.exists() else []


async def test_a_turn_leaves_who_how_and_how_long(own_home: Path) -> None:
    steps = [answer(tool_call("c1", "list", {"path": "/etc/shadow"}), end()), answer(text("private words"), end())]
    seen = await observed(own_home, "my own words", steps=steps)
    assert [row["event"] for row in seen] == [
        *("session opened", "turn started", "call", "tool", "call", "turn ended", "session closed"),
    ]
    call = seen[2]
    assert (call["provider"], call["model"], call["session"], call["level"]) == ("fake", "demo", "s1", "info")
    assert call["duration_s"] >= 0 and call["cost_source"] and call["pid"] == os.getpid()
    assert (seen[3]["tool"], seen[3]["outcome"]) == ("list", "ok")
    raw = json.dumps(seen)
    for words in ("my own words", "private words", "secret of the file", "/etc/shadow"):
        assert words not in raw


async def test_an_error_of_a_provider_is_logged_by_kind_not_by_its_words(own_home: Path) -> None:
    steps = [answer(fail(ErrorKind.INVALID_REQUEST, "you said: my own words", status=400))]
    seen = await observed(own_home, "my own words", steps=steps)
    error = next(row for row in seen if row["event"] == "provider error")
    assert (error["error"], error["status"], error["level"]) == ("invalid_request", 400, "warning")
    assert "my own words" not in json.dumps(seen)


async def test_what_was_said_about_files_of_a_prompt_is_counted_and_not_quoted(own_home: Path) -> None:
    environ = {"HOME": str(own_home)}
    session, _ = make_session(ScriptedProvider("fake", []))
    observing, paths = Observing(), find_paths(environ)
    observing.begin(load_settings(own_home, environ=environ), session.bus, paths, environ)
    session.notice("There is no payroll-2026.csv: it was sent as text.", NoticeLevel.WARNING, quotes=True)
    session.notice("the disk is full", NoticeLevel.WARNING)
    await observing.aclose()
    notices = [row for row in rows(log_path(paths.state_folder)) if row["event"] == "notice"]
    assert [row.get("message") for row in notices] == [None, "the disk is full"]
    assert notices[0]["characters"] == 50 and "payroll" not in json.dumps(notices)


async def test_what_a_broken_sink_provider_or_command_raised_is_in_the_log(own_home: Path) -> None:
    class Broken(ScriptedProvider):
        async def stream(self, request):
            raise ZeroDivisionError("in the provider")
            yield

    def sink(stamped):
        raise ZeroDivisionError("in the sink")

    async def command(*, run_id, command, emit, max_bytes):
        raise ZeroDivisionError("in the command")

    environ = {"HOME": str(own_home)}
    session, _ = make_session(Broken("broken", []))
    observing, paths = Observing(), find_paths(environ)
    observing.begin(load_settings(own_home, environ=environ), session.bus, paths, environ)
    session.bus.attach(sink)
    session.submit("hi")
    await session.wait_idle()
    own = OwnCommands(session.bus, command, _nothing)
    own.start("true", private=False, ended=lambda: None)
    await own.wait()
    await observing.aclose()
    seen = [row["traceback"][-1] for row in rows(log_path(paths.state_folder)) if "traceback" in row]
    assert seen == [f"ZeroDivisionError: in the {where}" for where in ("sink", "provider", "command")]


async def _nothing() -> None:
    return


@pytest.mark.parametrize(("level", "events"), [("off", []), ("error", []), ("warning", ["provider error", "call"])])
async def test_levels(own_home: Path, level: str, events: list[str]) -> None:
    steps = [answer(fail(ErrorKind.OVERLOADED, "busy"))]
    assert [row["event"] for row in await observed(own_home, "hi", steps=steps, level=level)] == events


def test_only_this_person_may_read_it(tmp_path: Path) -> None:
    path = log_path(tmp_path)
    log = Log(path, "info")
    note("here", {})
    log.close()
    log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_defect_leaves_its_traceback_and_no_key(tmp_path: Path) -> None:
    remember_secret("canary-4711-key")
    log = Log(log_path(tmp_path), "info")
    try:
        raise ValueError("the key canary-4711-key is wrong\x1b[31m")
    except ValueError as error:
        report("it broke", error)
    log.close()
    (row,) = rows(log_path(tmp_path))
    assert row["level"] == "error" and "test_log_file.py" in row["traceback"][0]
    assert row["traceback"][-1] == "ValueError: the key [redacted] is wrong"


def test_without_a_log_a_defect_is_written_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    report("it broke", ValueError("x"))
    assert capfd.readouterr() == ("", "")


@given(st.text(max_size=300), st.dictionaries(st.text(max_size=20), st.text(max_size=2000), max_size=20))
def test_any_text_is_one_bounded_line_of_plain_ascii(message: str, fields: dict[str, str]) -> None:
    line = line_of(record(message, fields, ValueError(message)))
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and len(line) <= MAX_LINE_BYTES + 1
    assert all(32 <= byte < 127 for byte in line[:-1])
    json.loads(line)


def test_it_rotates_and_keeps_a_few(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "patchbay.jsonl", max_bytes=2_000, kept=2)
    for number in range(100):
        handler.emit(record(f"line {number}"))
    handler.close()
    files = sorted(path.name for path in tmp_path.glob("patchbay.jsonl*"))
    assert files == ["patchbay.jsonl", "patchbay.jsonl.1", "patchbay.jsonl.2"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.glob("patchbay.jsonl*"))
    numbers = [int(row["event"].split()[1]) for name in reversed(files) for row in rows(tmp_path / name)]
    assert numbers == list(range(numbers[0], 100)) and len(numbers) > 30


def test_several_processes_lose_and_mix_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from patchbay.app.log_file import LogFile; import logging\n"
        "h = LogFile(Path(sys.argv[1]), max_bytes=30_000, kept=30)\n"
        "for n in range(400):\n"
        "    r = logging.LogRecord('patchbay', 20, 'f', 1, f'{sys.argv[2]} {n}', None, None); h.emit(r)\n"
    )
    path = tmp_path / "patchbay.jsonl"
    started = [subprocess.Popen([sys.executable, "-P", "-c", code, str(path), str(who)]) for who in range(4)]
    assert [process.wait(50) for process in started] == [0] * 4
    seen = [row["event"] for file in tmp_path.glob("patchbay.jsonl*") for row in rows(file)]
    assert sorted(seen) == sorted(f"{who} {n}" for who in range(4) for n in range(400))


def test_a_disk_that_takes_nothing_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the folder should be")
    log = Log(log_path(tmp_path), "info")
    note("lost", {})
    log.close()


def test_logs_prints_the_newest_lines(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    path = log_path(find_paths(os.environ).state_folder)
    options = argparse.Namespace(n=2, follow=False, path=False)
    assert logs_command(options) == 1
    assert "nothing was logged yet" in capsys.readouterr().err
    handler = LogFile(path)
    for number in range(5):
        handler.emit(record(f"line {number}"))
    handler.close()
    assert logs_command(options) == 0
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["line 3", "line 4"]
    assert logs_command(argparse.Namespace(n=2, follow=False, path=True)) == 0
    assert capsys.readouterr().out == f"{path}\n"
