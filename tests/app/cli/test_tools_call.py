"""``patchbay tools``: the tools by hand, with the same questions and the same bounds."""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.cli import main
from patchbay.app.cli.tools_call import blanket_yes
from patchbay.tools.events import ApprovalRequested, Decision


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "w"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(*words: str, **arguments: Any) -> int:
    return main(["tools", "call", *words, "--json", json.dumps(arguments)])


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize(("confirm", "decision"), [("", Decision.ONCE), ("delete", Decision.DENY)])
async def test_a_blanket_yes_does_not_answer_loud_questions(confirm: str, decision: Decision) -> None:
    question = ApprovalRequested(
        approval_id="a", run_id="r", name="bash", title="t", reason="r", pattern=None, confirm=confirm
    )
    assert (await blanket_yes(question)).decision is decision


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "list"]) == 0
    assert "edit(path, edits)\n" in capsys.readouterr().out
    assert main(["tools", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["tools"]
    assert {"read", "apply_patch"} <= {row["name"] for row in rows}


def test_a_read_needs_no_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a").write_text("one\n")
    assert call("read", path="a") == 0
    assert capsys.readouterr().out == "1\tone\n"


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("n\n", 3), ("", 3), ("yes please\n", 3)])
def test_a_write_asks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, code: int
) -> None:
    answer(monkeypatch, said)
    assert call("write", path="a", content="x\n") == code
    assert "+x" in capsys.readouterr().err
    assert (folder / "a").exists() == (code == 0)


def test_yes_reaches_no_further_than_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("write", "--yes", "--json-output", path="a", content="x\n") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["ok"] and row["files"] == [{"path": "a", "created": True, "deleted": False}]
    outer = folder.parent / "b"
    assert call("write", "--yes", "--json-output", path=str(outer), content="x\n") == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "outside" and not outer.exists()
    assert call("write", "--yes", "--allow", f"write:{outer}", path=str(outer), content="x\n") == 0
    assert outer.read_text() == "x\n"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["call"], "needs a tool"),
        (["call", "read"], "needs a tool"),
        (["call", "read", "--json", "{"], "not JSON"),
        (["call", "read", "--json", "[]"], "must be an object"),
        (["call", "read", "--json", "-"], "needs --yes"),
        (["call", "read", "--json", "{}", "--batch", "x"], "either"),
        (["call", "--batch", "missing"], "missing"),
    ],
)
def test_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], cause: str) -> None:
    assert main(["tools", *words]) == 2
    assert cause in capsys.readouterr().err


def test_batch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "f").write_text("a\n")
    edit = {"tool": "edit", "arguments": {"path": "f", "edits": [{"old_text": "a", "new_text": "b"}]}}
    read = {"tool": "read", "arguments": {"path": "f"}}
    other = {"outside_write": {"path": "f", "b64": base64.b64encode(b"\xff\n").decode()}}
    outside = {"tool": "write", "arguments": {"path": "../x", "content": ""}}
    rows = [
        {"id": "1", "workspace": str(folder / "one"), "steps": [read, edit, outside]},
        {"id": "2", "workspace": str(folder / "two"), "steps": [edit, read, other, edit]},
    ]
    (folder / "rows").write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert main(["tools", "call", "--batch", "rows"]) == 0
    got = {row["id"]: row["results"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [(r["ok"], r["error"] and r["error"]["kind"]) for r in got["1"]] == [
        (True, None), (True, None), (False, "outside")]  # fmt: skip
    assert [r["error"] and r["error"]["kind"] for r in got["2"]] == ["not_read", None, "stale"]
    assert (folder / "two/f").read_bytes() == b"\xff\n" and (folder / "one/f").read_text() == "b\n"
    assert not os.path.exists(folder / "x")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": 1}',
        '{"id": 1, "workspace": ".", "steps": [{"outside_write": 1}]}',
        '{"id": 1, "workspace": ".", "steps": [{"outside_write": {"path": "../x", "b64": ""}}]}',
    ],
)
def test_batch_names_the_line_it_cannot_read(folder: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    (folder / "rows").write_text(f"\n{line}\n")
    assert main(["tools", "call", "--batch", "rows"]) == 2
    assert "line 2" in capsys.readouterr().err and not (folder.parent / "x").exists()
