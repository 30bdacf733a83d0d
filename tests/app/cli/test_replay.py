"""``--record`` and ``patchbay wire replay``: a session is recorded against a server and runs again without it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.cli import main
from support.chat_server import calling, chat_server, failing, saying

KEY = "sk-of-the-replay-tests-0123456789"


def patchbay(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "patchbay", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=50,
    )


@pytest.fixture
def recording(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of one session: a tool call and its answer, then another prompt."""
    monkeypatch.setenv("MOCK_API_KEY", KEY)
    project, folder = tmp_path / "project", tmp_path / "recording"
    project.mkdir()
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    with chat_server(calling("bash", {"command": "touch made"}), saying("I could not."), saying("Good bye.")) as server:
        config.write_text(
            f'[providers.mock]\nbase_url = "{server.base_url}"\nmodel = "m"\napi_key_env = "MOCK_API_KEY"\n'
        )
        first = patchbay(project, "run", "-p", f"make it with {KEY}", "--record", str(folder))
        second = patchbay(project, "run", "-p", "then leave", "--continue", "--record", str(folder))
    assert (first.returncode, second.returncode) == (3, 0), first.stderr + second.stderr
    config.unlink()
    return folder


def edit(recording: Path, name: str, change: Any) -> None:
    path = next(recording.glob(f"{name}*.json"))
    case = json.loads(path.read_text())
    change(case)
    path.write_text(json.dumps(case))


def test_what_was_recorded_decodes_and_holds_no_key(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wire", "decode", str(recording)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answers = [row for row in rows if row["error"] is None]
    assert [row["text"] for row in answers] == ["", "I could not.", "Good bye."]
    assert answers[0]["tool_calls"][0]["name"] == "bash"
    written = "".join(path.read_text() for path in recording.iterdir())
    assert KEY not in written and "make it with [redacted]" in written


def test_the_session_runs_again_without_server_and_settings(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["wire", "replay", str(recording)]) == 0
    told = capsys.readouterr()
    assert told.out == "I could not.\nGood bye.\n"
    assert "denied: bash" in told.err and "3 of 3 recorded exchanges asked for" in told.err
    assert not (tmp_path / "made").exists()


def test_tools_run_when_a_rule_allows_them(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["wire", "replay", "--allow", "bash:touch made", "--chunk", "1", str(recording)]) == 0
    assert (tmp_path / "made").exists()
    assert "denied" not in capsys.readouterr().err


def test_another_prompt_than_the_recorded_one(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wire", "replay", str(recording), "do something else"]) == 0
    assert capsys.readouterr().out == "I could not.\nGood bye.\n"


def test_a_request_that_answers_other_calls_is_named(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def without_results(case: dict[str, Any]) -> None:
        body = case["request"]["body"]
        body["messages"] = [each for each in body["messages"] if each["role"] != "tool"]

    edit(recording, "00003", without_results)
    assert main(["wire", "replay", str(recording)]) == 1
    (problem,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("patchbay wire replay")]
    assert "request 2 (00003-mock): it answers the tool calls call_1, the recorded one none" in problem


def test_a_session_that_ends_early_is_a_difference(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def silent(case: dict[str, Any]) -> None:
        case["body"] = saying("Nothing to do.")[2]

    edit(recording, "00002", silent)
    assert main(["wire", "replay", str(recording)]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("Nothing to do.\n")
    assert "the recording goes on with 00003-mock" in told.err


def test_a_failed_request_was_asked_again(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads(next(recording.glob("00002*")).read_text())
    status, content_type, body = failing(529, "Overloaded")
    failed = first | {"id": "failed", "status": status, "content_type": content_type, "body": body, "kind": "error"}
    (recording / "00000-mock.json").write_text(json.dumps(failed))
    assert main(["wire", "replay", str(recording)]) == 0
    assert "4 of 4" in capsys.readouterr().err


def test_several_sessions_in_one_folder(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(recording.glob("*.json")):
        (recording / f"1{path.name}").write_text(path.read_text())
    assert main(["wire", "replay", str(recording)]) == 0
    told = capsys.readouterr()
    assert told.out == "I could not.\nGood bye.\n" * 2
    assert "6 of 6" in told.err


@pytest.mark.parametrize(
    "content",
    [None, "[]", '{"family": "telegraph", "status": 200, "body": ""}', '{"family": "openai_chat", "body": ""}'],
)
def test_nothing_to_replay(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    assert main(["wire", "replay", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and str(tmp_path) in told.err


def test_a_folder_that_cannot_be_recorded_to_is_said_before_anything_is_sent(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["run", "-p", "hi", "--record", "file"]) == 2
    assert "--record file" in capsys.readouterr().err
