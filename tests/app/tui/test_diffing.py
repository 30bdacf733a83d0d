import difflib

from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.tui.diffing import (
    CLOSE_LINES,
    CONTEXT,
    LARGEST_TEXT,
    DiffLine,
    TextDiff,
    diff_texts,
    parse_unified,
    side_by_side,
)

LINE = st.sampled_from(["", "a", "b", "c", "    return x", "é\r", "-- x", "++ x"])
TEXT = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINE, max_size=40), st.sampled_from(["", "\n"]))


def signs(diff: TextDiff) -> str:
    return "".join(line.sign for hunk in diff.hunks for line in hunk.lines)


def patched(before: str, diff: TextDiff) -> str:
    """Apply the hunks as a patch does: context and removed lines must be found where the hunk says."""
    old = before.splitlines(keepends=True) if "\r" not in before else [f"{x}\n" for x in before.split("\n")]
    if "\r" in before:
        old[-1] = old[-1][:-1]
        old = old if old[-1] else old[:-1]
    result: list[str] = []
    here = 0
    for hunk in diff.hunks:
        result += old[here : hunk.old_start]
        here = hunk.old_start
        assert len(result) == hunk.new_start
        for line in hunk.lines:
            text = line.text + ("" if line.unended else "\n")
            if line.sign != "+":
                assert old[here] == text
                here += 1
                assert line.old == here
            if line.sign != "-":
                result.append(text)
                assert line.new == len(result)
    return "".join(result + old[here:])


@given(before=TEXT, after=TEXT)
def test_applying_the_hunks_to_the_old_text_gives_the_new_one(before: str, after: str) -> None:
    diff = diff_texts(before, after)
    assert patched(before, diff) == after
    assert (diff.added, diff.removed) == (signs(diff).count("+"), signs(diff).count("-"))


@given(before=TEXT, after=TEXT)
def test_every_hunk_has_changes_and_at_most_three_lines_of_context_around_them(before: str, after: str) -> None:
    for hunk in diff_texts(before, after).hunks:
        row = "".join(line.sign for line in hunk.lines)
        assert row.strip()
        assert len(row) - len(row.lstrip(" ")) <= CONTEXT
        assert len(row) - len(row.rstrip(" ")) <= CONTEXT
        assert "  " * CONTEXT + " " not in row


@given(text=TEXT)
def test_equal_texts_have_no_hunks(text: str) -> None:
    assert diff_texts(text, text) == TextDiff()


@given(before=TEXT, after=TEXT)
def test_a_unified_diff_is_read_back_to_hunks_that_give_the_new_text(before: str, after: str) -> None:
    text = unified(before, after)
    files = parse_unified(text)
    if not text:
        assert files == ()
        return
    (diff,) = files
    assert (diff.path, diff.cut) == ("src/x.py", False)
    assert patched(before, diff) == after


def unified(before: str, after: str) -> str:
    """What difflib writes, with the mark of a missing newline as diff and Git set it."""
    old, new = ([f"{line}\n" for line in text.split("\n")] for text in (before, after))
    for lines in (old, new):
        lines[-1] = lines[-1][:-1]
        if not lines[-1]:
            lines.pop()
    rows = difflib.unified_diff(old, new, "a/src/x.py", "b/src/x.py")
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def test_numbers_signs_and_counts_of_a_small_change() -> None:
    diff = diff_texts("a\nb\nc\n", "a\nB\nB2\nc\n")
    assert (diff.added, diff.removed) == (2, 1)
    assert diff.hunks[0].lines == (
        DiffLine(" ", "a", 1, 1),
        DiffLine("-", "b", 2, None),
        DiffLine("+", "B", None, 2),
        DiffLine("+", "B2", None, 3),
        DiffLine(" ", "c", 3, 4),
    )


def test_changes_far_apart_are_two_hunks_and_close_ones_are_one() -> None:
    lines = [f"line {n}" for n in range(40)]
    far, near = list(lines), list(lines)
    far[5], far[30] = "x", "y"
    near[5], near[12] = "x", "y"
    assert [hunk.old_start for hunk in diff_texts("\n".join(lines), "\n".join(far)).hunks] == [2, 27]
    assert len(diff_texts("\n".join(lines), "\n".join(near)).hunks) == 1


def test_a_newline_taken_from_the_end_is_a_change_that_says_so() -> None:
    (hunk,) = diff_texts("a\n", "a").hunks
    assert hunk.lines == (DiffLine("-", "a", 1, None), DiffLine("+", "a", None, 1, unended=True))


def test_lines_that_occur_once_keep_a_moved_function_whole() -> None:
    before = "def a():\n    return 1\n\n\ndef b():\n    return 2\n"
    after = "def c():\n    return 3\n\n\n" + before
    diff = diff_texts(before, after)
    assert (diff.added, diff.removed) == (4, 0)


def test_a_long_stretch_without_common_lines_is_one_block() -> None:
    before = "".join(f"old {n % 7}\n" for n in range(CLOSE_LINES * 2))
    after = "".join(f"new {n % 7}\n" for n in range(CLOSE_LINES * 3))
    assert signs(diff_texts(before, after)) == "-" * (CLOSE_LINES * 2) + "+" * (CLOSE_LINES * 3)


def test_huge_texts_are_compared_coarsely_and_rightly() -> None:
    huge = "".join(f"{n}\n" for n in range(LARGEST_TEXT * 2))
    edited = huge.replace("\n777\n", "\nseven\n").replace("\n90000\n", "\nninety\n")
    assert patched(huge, diff_texts(huge, edited)) == edited


def test_side_by_side_sets_replaced_lines_beside_each_other() -> None:
    (hunk,) = diff_texts("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n").hunks
    pairs = [(left and left.text, right and right.text) for left, right in side_by_side(hunk.lines)]
    assert pairs == [("a", "a"), ("b", "B"), ("c", "c"), ("d", "d"), (None, "e")]


@given(before=TEXT, after=TEXT)
def test_side_by_side_loses_no_line_and_keeps_the_order(before: str, after: str) -> None:
    for hunk in diff_texts(before, after).hunks:
        pairs = list(side_by_side(hunk.lines))
        assert [left for left, _ in pairs if left] == [line for line in hunk.lines if line.sign != "+"]
        assert [right for _, right in pairs if right] == [line for line in hunk.lines if line.sign != "-"]


def test_a_new_file_and_a_second_file_are_read_from_one_diff() -> None:
    text = (
        "diff --git a/n.py b/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/n.py\n@@ -0,0 +1,2 @@\n+one\n+two\n"
        "--- a/old.py\t2024-01-01\n+++ /dev/null\n@@ -7 +6,0 @@ def f():\n-gone\n"
    )
    new, gone = parse_unified(text)
    assert (new.path, new.created, new.added) == ("n.py", True, 2)
    assert (gone.path, gone.created, gone.removed, gone.hunks[0].heading) == ("old.py", False, 1, "def f():")
    assert gone.hunks[0].lines[0].old == 7


def test_lines_that_look_like_file_headers_inside_a_hunk_are_its_lines() -> None:
    (diff,) = parse_unified("--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- drop\n+++ add\n x\n")
    assert [line.text for line in diff.hunks[0].lines] == ["-- drop", "++ add", "x"]


def test_a_diff_with_its_middle_left_out_is_marked_cut() -> None:
    (diff,) = parse_unified(
        "--- a/q\n+++ b/q\n@@ -1,9 +1,9 @@\n a\n-b\n[… 900 bytes left out …]\n+c\n@@ -40 +40 @@\n-x\n+y\n"
    )
    assert diff.cut
    assert signs(diff) == " --+"


def test_a_diff_that_ends_too_early_is_marked_cut() -> None:
    assert parse_unified("@@ -1,3 +1,3 @@\n a\n-b\n")[0].cut


def test_a_command_is_no_diff() -> None:
    assert parse_unified("pytest -q tests/\n--- not a diff\n") == ()
