import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchbay.app.cli import main
from patchbay.app.paths import find_paths
from support.journals import written_session


@pytest.fixture
def config(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the settings file; the current folder is an empty one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    file = own_home / ".config/patchbay/config.toml"
    file.parent.mkdir(parents=True)
    return file


@pytest.mark.parametrize("words", [["models"], ["doctor"], ["run", "-p", "hi"]])
def test_malformed_settings_name_file_and_line(
    words: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("theme = 'x'\n[provider\n")
    assert main(words) == 2
    assert f"patchbay: {config}:2:10: not valid TOML" in capsys.readouterr().err


def test_without_a_terminal_the_screen_names_the_command_for_scripts(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 2
    assert "patchbay run -p" in capsys.readouterr().err


def test_folder_must_exist(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere"]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
    Path("file").touch()
    assert main(["file"]) == 2
    assert "file is no folder" in capsys.readouterr().err


def test_empty_prompt_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-p", " \n"]) == 2
    assert "The prompt is empty" in capsys.readouterr().err


def test_usage_errors_become_an_exit_code(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert "-p" in capsys.readouterr().err
    assert main(["--help"]) == 0


def test_what_make_run_sets_is_not_inherited(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_MAKE_RUN", "1")
    assert main(["nowhere"]) == 2
    assert "PATCHBAY_MAKE_RUN" not in os.environ


@pytest.mark.parametrize(("output", "code", "said"), [("/dev/full", 1, "No space left"), ("closed pipe", 141, "")])
def test_output_that_nobody_takes_is_no_success(config: Path, output: str, code: int, said: str) -> None:
    written_session(find_paths(os.environ).database, "session-abc")
    reader, pipe = os.pipe()
    os.close(reader)
    out = pipe if output == "closed pipe" else os.open(output, os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "patchbay", "sessions", "list", "--all"],
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(out)
    assert done.returncode == code
    assert "Exception ignored" not in done.stderr
    assert said in done.stderr
