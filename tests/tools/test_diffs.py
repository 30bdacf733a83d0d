"""A diff says exactly what changed, in the format that other programs read."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.tools.diffs import unified_diff

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "  d"]), max_size=25).map("\n".join)


def patched(before: str, diff: str) -> str:
    """Apply a unified diff by its own numbers, checking every context line."""
    old = before.split("\n")
    new: list[str] = []
    at = 0
    lines = diff.split("\n")[2:-1]
    for number, line in enumerate(lines):
        if line.startswith("@@"):
            start, _, count = line.split()[1][1:].partition(",")
            first = int(start) - (count != "0")
            new += old[at:first]
            at = first
        elif line.startswith("+"):
            new.append(line[1:])
        elif not line.startswith("\\"):
            assert old[at] == line[1:], (number, line)
            at += 1
            if line.startswith(" "):
                new.append(line[1:])
    return "\n".join(new + old[at:])


@given(TEXTS, TEXTS)
def test_applies_to_give_the_new_text(before: str, after: str) -> None:
    before, after = before + "\n", after + "\n"
    diff = unified_diff(before, after, "f")
    assert (diff.text == "") == (before == after)
    if diff.text:
        assert patched(before, diff.text) == after
    assert diff.added - diff.removed == after.count("\n") - before.count("\n")


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS)
def test_git_applies_it(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    diff = unified_diff(before, after, "f")
    if not diff.text or not before or not after:
        return
    folder = tmp_path_factory.mktemp("git")
    (folder / "f").write_text(before)
    (folder / "p").write_text(diff.text)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "p"], cwd=folder, check=True, capture_output=True)
    assert (folder / "f").read_text() == after


def test_form() -> None:
    diff = unified_diff("a\nb\nc\n", "a\nB\nc", "x/y.txt")
    assert diff.text == (
        "--- a/x/y.txt\n+++ b/x/y.txt\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n"
    )
    assert diff.summary == "+2 −2"


def test_new_file_and_line_ends() -> None:
    created = unified_diff("", "a\r\nb\r\n", "n", created=True)
    assert created.text == "--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    assert created.summary == "+2"
    assert unified_diff("a\n", "", "n").summary == "−1"


def test_far_changes_have_hunks_of_their_own() -> None:
    lines = [f"line {n}" for n in range(40)]
    after = lines.copy()
    after[3], after[30] = "x", "y"
    assert unified_diff("\n".join(lines), "\n".join(after), "f").text.count("@@ -") == 2
