"""Taking back a part: exactly that part, and never over somebody else's lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.events import FileChanged, ToolEvent
from patchbay.tools.failures import ToolFailure
from patchbay.tools.hunks import Choice, HunkedChange
from patchbay.tools.reverting import Reversal, reverted

LINES = [f"line {n}\n" for n in range(60)]
BEFORE = "".join(LINES)
LEFT = BEFORE.replace("line 5\n", "LINE 5\n").replace("line 30\n", "").replace("line 55\n", "LINE 55\nmore\n")
TEXTS = st.lists(st.sampled_from("abcde"), max_size=30).map(lambda lines: "".join(f"{line}\n" for line in lines))


def without(number: int) -> str:
    change = HunkedChange(BEFORE.encode(), LEFT.encode())
    text = change.chosen({number: Choice(accepted=False)})
    assert text is not None
    return text.decode()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_hunk_is_taken_back_and_the_others_stay(number: int) -> None:
    assert reverted(LEFT.encode(), Reversal(left=LEFT, wanted=without(number)), "f") == without(number).encode()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_persons_own_edits_elsewhere_stay_and_may_move_the_lines(number: int) -> None:
    disk = LEFT.replace("line 20\n", "mine 1\nmine 2\nmine 3\n").replace("line 45\n", "")
    expected = without(number).replace("line 20\n", "mine 1\nmine 2\nmine 3\n").replace("line 45\n", "")
    assert reverted(disk.encode(), Reversal(left=LEFT, wanted=without(number)), "f") == expected.encode()


@pytest.mark.parametrize("mine", ["LINE 5!\n", "", "LINE 5\nand mine\n"])
def test_lines_that_somebody_changed_are_left_alone(mine: str) -> None:
    disk = LEFT.replace("LINE 5\n", mine)
    with pytest.raises(ToolFailure, match="Nothing was reverted"):
        reverted(disk.encode(), Reversal(left=LEFT, wanted=without(0)), "f")


def test_bytes_and_line_ends_on_disk_stay() -> None:
    disk = b"\xff\r\n" + LEFT.encode()
    left, wanted = "\ufffd\r\n" + LEFT, "\ufffd\r\n" + without(1)
    assert reverted(disk, Reversal(left=left, wanted=wanted), "f") == b"\xff\r\n" + without(1).encode()


def test_bytes_that_no_text_holds_are_not_made_up() -> None:
    with pytest.raises(ToolFailure, match="bytes that are no text"):
        reverted(b"new\n", Reversal(left="new\n", wanted="old \ufffd\n"), "f")


def test_a_created_file_goes_and_a_deleted_one_comes_back() -> None:
    assert reverted(b"x\n", Reversal(left="x\n", wanted=None), "f") is None
    assert reverted(None, Reversal(left=None, wanted="x\n"), "f") == b"x\n"
    for disk, reversal in (
        (b"y\n", Reversal(left="x\n", wanted=None)),
        (b"y\n", Reversal(left=None, wanted="x\n")),
        (None, Reversal(left="x\n", wanted="y\n")),
        (b"\0\0", Reversal(left="x\n", wanted="y\n")),
    ):
        with pytest.raises(ToolFailure):
            reverted(disk, reversal, "f")


@given(TEXTS, TEXTS, TEXTS)
def test_it_merges_or_refuses(left: str, wanted: str, disk: str) -> None:
    try:
        merged = reverted(disk.encode(), Reversal(left=left, wanted=wanted), "f")
    except ToolFailure:
        return
    assert merged is not None
    if disk == left:
        assert merged.decode() == wanted
    if wanted == left:
        assert merged.decode() == disk
    assert len(merged) - len(disk.encode()) == len(wanted) - len(left)


async def test_the_toolbox_takes_it_back_and_says_so(bench) -> None:
    file = bench.file("a.py", LEFT)
    events: list[ToolEvent] = []
    problem = await bench.toolbox.revert_hunk(run_id="r", path="a.py", left=LEFT, wanted=without(1), emit=events.append)
    assert problem == ""
    assert file.read_text() == without(1)
    assert [(each.path, each.before, each.after) for each in events if isinstance(each, FileChanged)] == [
        ("a.py", LEFT, without(1))
    ]
    bench.hunks = ()
    result = await bench.run("edit", path="a.py", edits=[{"old_text": "line 30\n", "new_text": "thirty\n"}])
    assert "thirty" in file.read_text(), result.content


async def test_the_toolbox_says_why_it_does_not(bench) -> None:
    file = bench.file("a.py", LEFT.replace("LINE 5", "mine"))
    events: list[FileChanged] = []
    revert = bench.toolbox.revert_hunk
    problem = await revert(run_id="r", path="a.py", left=LEFT, wanted=without(0), emit=events.append)
    assert "not as this session left them" in problem
    assert (await revert(run_id="r", path="gone.py", left="a\n", wanted="b\n", emit=events.append)) != ""
    assert (await revert(run_id="r", path="/dev/null", left="a\n", wanted="b\n", emit=events.append)) != ""
    assert events == []
    assert file.read_text() == LEFT.replace("LINE 5", "mine")


async def test_after_a_merge_with_the_persons_lines_the_model_has_to_read_again(bench) -> None:
    bench.file("a.py", LEFT.replace("line 20\n", "mine\n"))
    events: list[FileChanged] = []
    await bench.toolbox.revert_hunk(run_id="r", path="a.py", left=LEFT, wanted=without(1), emit=events.append)
    result = await bench.run("edit", path="a.py", edits=[{"old_text": "line 30\n", "new_text": "thirty\n"}])
    assert result.summary == "not read"
