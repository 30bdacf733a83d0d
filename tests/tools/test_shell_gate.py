"""Which command lines only read, which ask, which are asked loudly: and that no line at all upsets the gate."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchbay.tools.shell_gate import ShellGate
from patchbay.tools.workspace import Workspace
from support.confined import landlock_version
from support.gate_fuzzing import fuzz, make_workspace
from support.shell_lines import lines

GATE = ShellGate(Workspace(Path("/repo"), home=Path("/home/u")), home=Path("/home/u"))


def judged(line: str) -> str:
    reading = GATE.read(line)
    return "loud" if reading.loud is not None else "asks" if reading.reads_only else "reads"


@pytest.mark.parametrize("name", ["reads", "asks", "loud"])
def test_lines_of_every_kind(name: str) -> None:
    wrong = [(line, judged(line)) for line in lines(name) if judged(line) != name]
    if name == "asks":  # asking loudly is asking
        wrong = [(line, became) for line, became in wrong if became == "reads"]
    assert len(lines(name)) > 400
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf build",
        "rm -rf ./dist node_modules",
        "rm file.txt",
        "rm -rf /tmp/example",
        "git push",
        "git push origin main",
        "git checkout -b topic",
        "git checkout src/a.py",
        "git commit -am 'drop table users'",
        "git stash",
        "chmod +x run.sh",
        "chmod 644 a",
        "kill 1234",
        "docker run --rm alpine ls",
        "docker build .",
        "npm install",
        "npm run publish-docs",
        "curl https://example.com",
        "curl -o out.json https://example.com",
        "curl -H 'Authorization: Bearer x' https://example.com",
        "ssh host ls",
        "python -c 'print(1)'",
        "python manage.py migrate",
        "echo 'rm -rf /' > notes.txt",
        "make clean",
        "mv a b",
        "cp -r src copy",
        "find . -name '*.pyc' -exec ls {} ;",
        "psql -c 'select * from dropped'",
        "sed -i s/a/b/ src/a.py",
        "cat script.sh | sh",
        "kubectl get pods",
        "terraform plan",
        "cd build && rm -rf out",
        "tar xzf a.tgz",
    ],
)
def test_an_ordinary_question_is_not_loud(line: str) -> None:
    assert judged(line) == "asks", GATE.read(line).loud


@pytest.mark.parametrize("count", [50, 120])
def test_a_long_chain_is_read_to_its_end(count: int) -> None:
    assert judged(" && ".join(["true"] * count)) == "reads"
    assert judged(" && ".join(["true"] * count + ["touch x"])) == "asks"
    assert judged(" ; ".join(["true"] * count + ["rm -rf /"])) == "loud"


@pytest.mark.parametrize(
    "line",
    [
        "true;" * 20_000,
        "$(" * 60 + "ls" + ")" * 60,
        "(" * 500 + "ls" + ")" * 500,
        "echo " + "a" * 100_000,
        "echo {1..99999}",
        "echo " + "{a,b}" * 30,
        "eval " * 200 + "ls",
        "bash -c " * 100 + "ls",
        "timeout 1 " * 5000 + "ls",
        "! " * 3000 + "ls",
    ],
    ids=range(10),
)
def test_what_is_too_much_to_read_never_runs_unasked(line: str) -> None:
    assert judged(line) != "reads"


def test_too_deep_and_too_long_are_loud() -> None:
    assert judged("$(" * 60 + "ls" + ")" * 60) == "loud"
    assert judged("true;" * 20_000) == "loud"


def test_the_reason_names_the_command_that_asks() -> None:
    reading = GATE.read("ls && make all")
    assert reading.reads_only == "runs make"
    assert [part.words for part in reading.parts] == [("ls",), ("make", "all")]
    assert GATE.read("cat .env").reads_only == "reads .env: .env usually holds secrets"


def test_a_program_of_the_workspace_is_not_taken_for_the_one_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ls").write_text("")
    for search_path, asks in ((f"{tmp_path}/bin:/usr/bin", True), (".:/usr/bin", True), ("/usr/bin", False)):
        gate = ShellGate(Workspace(tmp_path), search_path=search_path)
        assert bool(gate.read("ls").reads_only) is asks
    assert not ShellGate(Workspace(tmp_path), search_path=f"{tmp_path}/bin").read("wc -l x").reads_only


def test_paths_are_judged_where_they_lead(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to("../secret")
    (root / "inner").symlink_to("sub")
    os.mkfifo(root / "pipe")
    gate = ShellGate(Workspace(root))
    for line in ("cat link", "cat sub/../link", "cat l*", "cd sub && cat ../link", "cat pipe", "cat *", "wc < link"):
        assert gate.read(line).reads_only, line
    for line in ("ls inner", "cat sub/*", "cd sub && ls ..", "cd inner; ls", "ls missing"):
        assert not gate.read(line).reads_only, line


@given(st.text(max_size=60) | st.text(alphabet=" \t\n;&|<>()$`\\\"'*?[]#~=!{}abcr-/.", max_size=60))
@example("\ud800")
@example("${x")
@example("$'\\U110000'")
@example("<<")
@example("a[$(b)]=c d")
def test_no_text_upsets_the_gate(line: str) -> None:
    reading = GATE.read(line)
    assert isinstance(reading.reads_only, str)


def test_made_up_lines_are_read_quickly(tmp_path: Path) -> None:
    figures = fuzz(1, 600, make_workspace(tmp_path / "repo"), run=False)
    assert figures.let_through > 0
    assert figures.percentile(0.5) < 0.05


@pytest.mark.skipif(landlock_version() < 4, reason="needs a Linux kernel with Landlock, ABI 4 or later")
def test_what_runs_unasked_changes_no_file(tmp_path: Path) -> None:
    figures = fuzz(2, 300, make_workspace(tmp_path / "repo"), run=True)
    assert figures.ran > 0
    assert figures.changed == []
