"""What holds for every file and every patch."""

import difflib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.tools.apply_patch import PatchArguments
from patchbay.tools.apply_patch_hunks import patched
from patchbay.tools.apply_patch_model import Hunk, HunkLine
from patchbay.tools.events import Outcome
from patchbay.tools.failures import ToolFailure
from patchbay.tools.text_file import decode

WORDS = ("a", "b", "  c", "\td", "", "e  ", "--- f", "+++ g", "@@ h", "*** i", "ü", "\\ j", " ")
LINES = st.lists(st.sampled_from(WORDS), max_size=14)
ENDS = st.sampled_from(["\n", "\r\n"])
MARKS = st.sampled_from([b"", b"\xef\xbb\xbf"])
PIECES = st.sampled_from([
    "*** Begin Patch", "*** End Patch", "*** Update File: f", "*** Add File: g", "*** Delete File: f", "*** Move to: h",
    "*** End of File", "@@", "@@ a", "@@ -1,2 +1,2 @@", "@@ -1 +1 @@", "--- a/f", "+++ b/f", "--- /dev/null",
    "+++ /dev/null", "diff --git a/f b/f", "rename from f", "rename to g", "new file mode 100644", "-a", "+b", " a", "",
    "\\ No newline at end of file", "<<EOF", "EOF", "```", "bad", "GIT binary patch", "\x00", "\ud800",
    "deleted file mode 1",
])  # fmt: skip


def text_of(lines: list[str], end: str, *, ended: bool) -> str:
    return end.join(lines) + (end if ended and lines else "")


def git_diff(before: str, after: str, context: int) -> str:
    """As git writes it: the line that has no end is marked."""
    old, new = (text.replace("\r\n", "\n").split("\n") for text in (before, after))
    old = [line + "\n" for line in old[:-1]] + ([old[-1]] if old[-1] else [])
    new = [line + "\n" for line in new[:-1]] + ([new[-1]] if new[-1] else [])
    lines = difflib.unified_diff(old, new, "a/f", "b/f", n=context)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@settings(max_examples=400, deadline=None)
@given(LINES, LINES, ENDS, st.booleans(), st.booleans(), st.integers(1, 3), MARKS)
def test_a_diff_of_two_texts_leads_from_one_to_the_other(
    old: list[str], new: list[str], end: str, old_ended: bool, new_ended: bool, context: int, mark: bytes
) -> None:
    before, after = text_of(old, end, ended=old_ended), text_of(new, end, ended=new_ended)
    if "\n" not in before:  # no line end to go by
        after = after.replace("\r\n", "\n")
    diff = git_diff(before, after, context)
    if not diff:
        return
    [file] = PatchArguments(patch=diff).files
    source = decode(mark + before.encode())
    assert source is not None
    result = source.encoded(patched(source.text, file.hunks, "f").text)
    assert result == mark + after.encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), ENDS), min_size=1, max_size=12), st.data())
def test_bytes_outside_of_the_hunk_stay(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    """Every mixture of line ends; what is not in the hunk's changed lines keeps its bytes."""
    at = data.draw(st.integers(0, len(lines) - 1))
    lines = [*lines[:at], ("needle", lines[at][1]), *lines[at + 1 :]]
    ended = data.draw(st.booleans())
    text = "".join(line + end for line, end in lines)
    if not ended and at < len(lines) - 1:
        text = text.removesuffix(lines[-1][1])
    hunk = Hunk(lines=(HunkLine(sign="-", text="needle"), HunkLine(sign="+", text="new")))
    result = patched(text, [hunk], "f").text
    assert result == text.replace("needle", "new")


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=6), max_size=14), st.sampled_from(["", "*** Begin Patch\n"]))
def test_garbage_is_a_failure_and_nothing_else(pieces: list[str], begin: str) -> None:
    text = begin + "\n".join(pieces)
    try:
        files = PatchArguments(patch=text).files
        for file in files:
            patched("a\nb\nc\na\n", [hunk for hunk in file.hunks if hunk.lines], "f")
    except ToolFailure as failure:
        assert failure.message


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=10), st.sampled_from(["", "*** Begin Patch\n*** Update File: f\n"]))
async def test_a_failed_patch_leaves_the_folder_byte_for_byte(make_bench, pieces: list[str], begin: str) -> None:
    bench = make_bench()
    for path in bench.root.iterdir():
        path.unlink()
    bench.file("f", b"a\r\nb\nc")
    bench.file("h", b"h\n")
    await bench.run("read", path="f")
    before = contents(bench.root)
    result = await bench.run("apply_patch", patch=begin + "\n".join(pieces))
    if result.outcome is not Outcome.OK:
        assert contents(bench.root) == before
        assert result.error_kind != "failed", result.content


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("count", [3000])
def test_a_large_patch_takes_little_time(count: int) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    body = "".join(f"@@\n-line {number}\n+LINE {number}\n" for number in range(0, count, 15))
    [file] = PatchArguments(patch=f"*** Begin Patch\n*** Update File: f\n{body}*** End Patch").files
    assert patched(text, file.hunks, "f").text.count("LINE") == count // 15
