from pathlib import Path

import pytest

from patchbay.app.cli import main


def test_trust_list_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = tmp_path / "re\x1b]0;x\x07po"
    (repo / ".git").mkdir(parents=True)
    (repo / "AGENTS.md").write_text("x")
    assert main(["trust", str(repo)]) == 0
    said = capsys.readouterr().out
    assert "AGENTS.md" in said
    assert "\x1b" not in said
    assert main(["trust", "--list"]) == 0
    assert "1 file" in capsys.readouterr().out
    (repo / "AGENTS.md").write_text("y")
    main(["trust", "--list"])
    assert "changed since: AGENTS.md" in capsys.readouterr().out
    assert main(["trust", "--remove", str(repo)]) == 0
    assert main(["trust", "--remove", str(repo)]) == 2
    main(["trust", "--list"])
    assert "No folder is trusted" in capsys.readouterr().out


def test_home_and_what_is_no_folder_are_refused(
    own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", str(own_home)]) == 2
    assert "cannot be trusted as a whole" in capsys.readouterr().err
    assert main(["trust", str(tmp_path / "nowhere")]) == 2
