"""grep, glob, list: what is found, what is left out, and that no pattern stops the program."""

import asyncio
import os
import subprocess
import threading
from dataclasses import replace

import pytest

from patchbay.tools import find_files, search_text
from patchbay.tools.events import Outcome
from patchbay.tools.policy import Effect, Policy, Rule
from patchbay.tools.toolbox import LocalToolbox


@pytest.fixture
def tree(bench):
    bench.file("a.py", "import os\nneedle = 1\n")
    bench.file("src/b.py", "x\r\nneedle\r\n")
    bench.file("src/deep/c.ts", "needle\n")
    bench.file("ignored/d.py", "needle\n")
    bench.file("node_modules/e.js", "needle\n")
    bench.file(".env", "needle=secret\n")
    bench.file("bin", b"needle\0\n")
    bench.file(".gitignore", "ignored/\nnode_modules/\n")
    (bench.root / "link.py").symlink_to("/etc/passwd")
    return bench


def git_init(bench) -> None:
    subprocess.run(["git", "init", "-q"], cwd=bench.root, check=True)


async def test_grep_without_git(tree) -> None:
    result = await tree.run("grep", pattern="needle")
    assert result.content == (
        "a.py\n2: needle = 1\nignored/d.py\n1: needle\nsrc/b.py\n2: needle\nsrc/deep/c.ts\n1: needle\n"
        "[not searched, as they usually hold secrets: .env]"
    )
    assert result.summary == "4 matches in 4 files"
    assert tree.asked == []


async def test_grep_leaves_out_what_git_ignores(tree) -> None:
    git_init(tree)
    result = await tree.run("grep", pattern="needle")
    assert "ignored/" not in result.content and "src/b.py" in result.content
    inside = await tree.run("grep", pattern="needle", path="ignored")
    assert inside.content == "ignored/d.py\n1: needle"


async def test_git_settings_of_the_repository_start_nothing(tree) -> None:
    git_init(tree)
    trap = tree.root.parent / "trap"
    trap.write_text('#!/bin/sh\ntouch "$0.sprung"\n')
    trap.chmod(0o755)
    with (tree.root / ".git/config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n\tsshCommand = {trap}\n")
    assert (await tree.run("glob", pattern="*.py")).outcome is Outcome.OK
    assert not (tree.root.parent / "trap.sprung").exists()


async def test_grep_narrowed(tree) -> None:
    assert (await tree.run("grep", pattern="^needle$", glob="*.ts")).content.startswith("src/deep/c.ts\n1: needle")
    assert (await tree.run("grep", pattern="needle", path="src", glob="*.py")).content == "src/b.py\n2: needle"
    assert (await tree.run("grep", pattern="needle", path="a.py")).content == "a.py\n2: needle = 1"
    assert (await tree.run("grep", pattern="absent", path="src")).content == "No match."


async def test_grep_of_a_secret_by_name_asks(tree) -> None:
    result = await tree.run("grep", pattern="needle", path=".env")
    assert "secret" in result.content and len(tree.asked) == 1


async def test_grep_bad_pattern_and_missing_folder(tree) -> None:
    result = await tree.run("grep", pattern="a(")
    assert result.outcome is Outcome.ERROR and "not a Python regular expression" in result.content
    assert "no file or folder nope" in (await tree.run("grep", pattern="a", path="nope")).content


async def test_grep_of_a_pattern_without_end_times_out(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.file("a", "needle aaa\n")
    bench.file("b", "a" * 60 + "!\n")
    monkeypatch.setattr(search_text, "_TIMEOUT_S", 4.0)  # enough for the child to start on a busy machine
    result = await bench.run("grep", pattern=r"(a+)+$")
    assert "a\n1: needle aaa" in result.content and "not all files were searched" in result.content


async def test_grep_can_be_cancelled(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()
    real = search_text.run_process

    async def watched(*arguments, **options):
        begun.set()
        return await real(*arguments, **options)

    monkeypatch.setattr(search_text, "run_process", watched)
    bench.file("b", "a" * 60 + "!\n")
    task = asyncio.create_task(bench.run("grep", pattern=r"(a+)+$"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):  # the pattern itself would be tried for hours
        await task


async def test_grep_is_bounded(bench) -> None:
    bench.file("f", "needle in a line\n" * 50_000)
    bench.file("wide", "x" * 5000 + "needle" + "y" * 5000 + "\n")
    result = await bench.run("grep", pattern="needle")
    assert len(result.content) <= 60_000
    assert "more lines" in result.content
    wide = (await bench.run("grep", pattern="needle", path="wide")).content
    assert "needle" in wide and len(wide) < 400


async def test_grep_does_not_follow_links_out(bench) -> None:
    outside = bench.root.parent / "outside"
    outside.mkdir()
    (outside / "f").write_text("needle\n")
    (bench.root / "folder").symlink_to(outside)
    (bench.root / "file").symlink_to(outside / "f")
    assert (await bench.run("grep", pattern="needle")).content == "No match."
    await bench.run("grep", pattern="needle", path="folder")
    assert "outside" in bench.asked[0].reason


async def test_odd_names_are_found_and_shown(bench) -> None:
    (bench.root / os.fsdecode(b"latin-\xe9.txt")).write_text("needle\n")
    (bench.root / "new\nline.txt").write_text("needle\n")
    for name, arguments in (("grep", {"pattern": "needle"}), ("glob", {"pattern": "*.txt"}), ("list", {})):
        result = await bench.run(name, **arguments)
        assert result.outcome is Outcome.OK and "latin-\ufffd.txt" in result.content, name
        result.content.encode()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["a.py", "ignored/d.py", "src/b.py"]),
        ("src/**", ["src/b.py", "src/deep/c.ts"]),
        ("src/*.py", ["src/b.py"]),
        ("**/*.{ts,js}", ["src/deep/c.ts"]),
        ("src/deep/c.ts", ["src/deep/c.ts"]),
        ("*.rs", ["No file fits."]),
    ],
)
async def test_glob(tree, pattern: str, found: list[str]) -> None:
    assert (await tree.run("glob", pattern=pattern)).content.split("\n") == found
    assert tree.asked == []


@pytest.mark.parametrize("pattern", ["/etc/*.conf", "../*", "~/*"])
async def test_glob_outside_asks(tree, pattern: str) -> None:
    await tree.run("glob", pattern=pattern)
    assert "outside" in tree.asked[0].reason


async def test_glob_is_bounded(bench) -> None:
    for number in range(2100):
        bench.file(f"f{number:04}.txt", "")
    result = await bench.run("glob", pattern="*.txt")
    assert result.content.endswith("[100 more: narrow path or pattern]")
    assert result.summary == "2100 files"


async def test_list(tree) -> None:
    result = await tree.run("list")
    lines = result.content.split("\n")
    assert lines[:3] == ["ignored/", "node_modules/", "src/"]
    assert "a.py  21" in lines and "link.py  (link)" in lines
    assert result.summary == f"{len(lines)} entries"
    assert "is a file" in (await tree.run("list", path="a.py")).content
    assert "no file nope" in (await tree.run("list", path="nope")).content


async def test_a_search_passes_over_what_a_rule_withholds(bench) -> None:
    for name in ("private/plan.txt", "open.txt"):
        (bench.root / name).parent.mkdir(exist_ok=True)
        (bench.root / name).write_text("the harbour plan\n")
    denying = Rule.parse("read:private/**", origin="settings", effect=Effect.DENY)
    toolbox = LocalToolbox(bench.root, Policy([denying]), state_folder=bench.root.parent / "state")
    result = await replace(bench, toolbox=toolbox).run("grep", pattern="harbour")
    assert "open.txt" in result.content and "1: the harbour plan" in result.content
    assert "a rule of the user denies reading them: private/plan.txt" in result.content
    assert result.content.count("the harbour plan") == 1


async def test_a_search_shows_nothing_that_a_rule_wants_asked_about(bench) -> None:
    for name in ("secrets/plan.txt", "secrets/open.txt", "src/a.py"):
        bench.file(name, "the harbour plan\n")
    rules = [
        Rule.parse("read:secrets/**", origin="rules.toml:1", effect=Effect.ASK),
        Rule.parse("read:secrets/open.txt", origin="rules.toml:4"),
    ]
    toolbox = LocalToolbox(bench.root, Policy(rules), state_folder=bench.root.parent / "state")
    own = replace(bench, toolbox=toolbox)
    result = await own.run("grep", pattern="harbour")
    assert own.asked == []
    assert result.content == (
        "secrets/open.txt\n1: the harbour plan\nsrc/a.py\n1: the harbour plan\n"
        "[not searched, as the user wants to be asked first (name them as path): secrets/plan.txt]"
    )
    for path in ("secrets", "secrets/plan.txt"):
        own.asked.clear()
        result = await own.run("grep", pattern="harbour", path=path)
        assert len(own.asked) == 1 and "secrets/plan.txt\n1: the harbour plan" in result.content, path


async def test_names_are_judged_away_from_the_loop_that_paints(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    judge, find = search_text.concern_of, find_files.marked_name

    def judged(parts, *, writing: bool):
        threads.append(threading.current_thread())
        return judge(parts, writing=writing)

    def found(name: str) -> str:
        threads.append(threading.current_thread())
        return find(name)

    monkeypatch.setattr(search_text, "concern_of", judged)
    monkeypatch.setattr(find_files, "marked_name", found)
    bench.file("a.txt", "needle\n")
    assert "needle" in (await bench.run("grep", pattern="needle", glob="*.txt")).content
    assert (await bench.run("glob", pattern="*.txt")).content == "a.txt"
    assert len(threads) == 2 and threading.main_thread() not in threads
