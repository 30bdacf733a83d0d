import json
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_home: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    (own_home / ".config" / "patchbay").mkdir(parents=True)
    return tmp_path


def answers(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[dict[str, Any]]:
    assert main(["policy", *words]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_check_says_decision_rule_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(capsys, "check", "ls | wc -l")[0]["decision"] == "allow"
    asked = answers(capsys, "check", "make all && npm test")[0]
    assert (asked["decision"], asked["always"]) == ("ask", ["bash:make all", "bash:npm test *"])
    loud = answers(capsys, "check", "rm -rf ~")[0]
    assert (loud["decision"], loud["rule"], loud["confirm"]) == ("ask_loud", "loud", "rm")


def test_check_follows_the_rules_of_file_and_settings(
    folder: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = own_home / ".config" / "patchbay"
    (config / "config.toml").write_text('[policy]\nallow = ["bash:make *"]\ndeny = ["bash:make install"]\n')
    (config / "rules.toml").write_text('[[rule]]\ndeny = "bash:npm publish"\n')
    assert answers(capsys, "check", "make all")[0] == {
        "decision": "allow",
        "rule": "bash:make *",
        "why": "allowed by [policy] allow",
    }
    assert answers(capsys, "check", "make install")[0]["decision"] == "block"
    blocked = answers(capsys, "check", "ls; npm publish")[0]
    assert (blocked["decision"], blocked["why"]) == ("block", "is denied by rules.toml:1")


def test_batches_answer_row_by_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "command": "cat x"},
        {"id": "b", "command": "git push", "rules": {"allow": ["git"], "deny": ["git push"]}},
        {"id": "c", "command": "make x", "rules": {"allow": ["make"]}},
        {"id": "d", "command": "\udcff"},
    ]
    (folder / "rows").write_text("\n".join(map(json.dumps, rows)))
    found = answers(capsys, "check", "--batch", "rows")
    assert [(row["id"], row["decision"]) for row in found] == [
        ("a", "allow"),
        ("b", "block"),
        ("c", "allow"),
        ("d", "ask"),
    ]
    (folder / "paths").write_text(
        "\n".join(
            json.dumps({"id": op, "workspace": str(folder), "home": "/home/u", "path": path, "op": op})
            for op, path in (("read", "a"), ("write", ".bashrc"), ("glob", "/**/*"), ("grep", "a\nb"))
        )
    )
    decisions = [row["decision"] for row in answers(capsys, "path", "--batch", "paths")]
    assert decisions == ["allow", "ask", "ask", "refuse"]


def test_path(folder: Path, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(capsys, "path", ".env", "--op", "read")[0]["decision"] == "ask"
    assert answers(capsys, "path", "/dev/null", "--op", "write")[0]["decision"] == "refuse"
    (own_home / ".config" / "patchbay" / "rules.toml").write_text('[[rule]]\ndeny = "read:private/**"\n')
    assert answers(capsys, "path", "private/x")[0]["why"] == "is denied by rules.toml:1"


def test_the_tests_of_rules_decide_the_exit_code(
    folder: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_home / ".config" / "patchbay" / "rules.toml"
    file.write_text('[[rule]]\ndeny = "bash:rm"\nmatch = ["rm x"]\n')
    assert answers(capsys, "test", "--json")[0]["failures"] == []
    file.write_text('[[rule]]\ndeny = "bash:rm"\nnot_match = ["rm x"]\n')
    assert answers(capsys, "test", "--json", code=1)[0]["failures"][0]["origin"] == "rules.toml:1"
    assert main(["policy", "test"]) == 1
    assert "rules.toml:1: bash:rm: rm x should not match and does" in capsys.readouterr().out


def test_show_lists_rules_with_their_origin(folder: Path, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = own_home / ".config" / "patchbay"
    (config / "config.toml").write_text('[policy]\nallow = ["bash:make"]\n')
    (config / "rules.toml").write_text('[[rule]]\nask = "bash:npm"\n')
    shown = answers(capsys, "show", "--json")[0]
    assert [(rule["rule"], rule["decision"], rule["origin"]) for rule in shown["rules"]] == [
        ("bash:make", "allow", "[policy] allow"),
        ("bash:npm", "ask", "rules.toml:1"),
    ]
    assert main(["policy", "show"]) == 0
    text = capsys.readouterr().out
    assert "rules.toml:1" in text and "plan mode" in text


@pytest.mark.parametrize(
    "words", [["check"], ["path"], ["check", "--batch", "missing"], ["check", "--batch", "broken"]]
)
def test_wrong_use_is_told(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    (folder / "broken").write_text("{")
    assert main(["policy", *words]) == 2
    assert capsys.readouterr().err.startswith("patchbay: ")


def test_path_says_what_a_rule_that_asks_does(folder: Path, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_home / ".config" / "patchbay" / "rules.toml").write_text('[[rule]]\nask = "read:secrets/**"\n')
    found = answers(capsys, "path", "secrets/a.txt")[0]
    assert (found["decision"], found["why"]) == (
        "ask",
        "a rule asks before it is read: read:secrets/** (rules.toml:1)",
    )
    assert answers(capsys, "path", "src/a.txt")[0]["decision"] == "allow"
