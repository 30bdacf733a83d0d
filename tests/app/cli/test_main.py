import os
from pathlib import Path

import pytest

from patchbay.app.cli import main


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
