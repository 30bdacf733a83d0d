"""Any choice of hunks gives exactly the text with those hunks, to the byte."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.diffs import unified_diff
from patchbay.tools.failures import ToolFailure
from patchbay.tools.hunks import Choice, HunkedChange

LINE = st.sampled_from(["a", "b", "c", "", "  d", "é", "x\x0cy", "w\rz"])
END = st.sampled_from(["\n", "\r\n"])
TEXTS = st.lists(st.tuples(LINE, END), max_size=40).map(lambda rows: "".join(line + end for line, end in rows))
ENDS = st.sampled_from(["", "last"])
FAR = "".join(f"line {n}\n" for n in range(60))


def spelled(before: bytes, change: HunkedChange, taken: set[int]) -> bytes:
    """The slow way: the old lines, those of each taken hunk replaced, from the last one to the first."""
    lines = before.decode("utf-8", "surrogateescape").split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    for number in sorted(taken, reverse=True):
        hunk = change.hunks[number]
        assert tuple(lines[hunk.start : hunk.start + len(hunk.old)]) == hunk.old
        lines[hunk.start : hunk.start + len(hunk.old)] = hunk.new
    return "".join(lines).encode("utf-8", "surrogateescape")


@given(TEXTS, TEXTS, ENDS, ENDS, st.data())
def test_a_choice_is_the_text_with_those_hunks_only(
    one: str, other: str, end: str, other_end: str, data: st.DataObject
) -> None:
    before, after = (one + end).encode(), (other + other_end).encode()
    change = HunkedChange(before, after)
    every = set(range(len(change.hunks)))
    taken = data.draw(st.sets(st.sampled_from(sorted(every)))) if every else set[int]()
    choices = {number: Choice(accepted=number in taken) for number in every}
    assert change.chosen(choices) == spelled(before, change, taken)
    assert change.chosen({}) == after
    if every:
        assert change.chosen(dict.fromkeys(every, Choice(accepted=False))) == before
        assert spelled(before, change, every) == after


@given(TEXTS, TEXTS)
def test_a_preview_has_the_same_hunks_in_the_same_order(before: str, after: str) -> None:
    change = HunkedChange(before.encode(), after.encode())
    heads = [line for line in unified_diff(before, after, "f").text.split("\n") if line.startswith("@@ -")]
    assert len(heads) == len(change.hunks)
    starts = [int(head.split()[1][1:].split(",")[0]) for head in heads]
    assert starts == sorted(starts)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_bytes_that_are_no_text_are_taken_or_left(before: bytes, after: bytes) -> None:
    change = HunkedChange(before, after)
    assert change.chosen({}) == after
    if change.hunks:
        assert change.chosen(dict.fromkeys(range(len(change.hunks)), Choice(accepted=False))) == before


def test_undecodable_and_crlf_bytes_around_a_hunk_stay() -> None:
    before = b"\xff one\r\ntwo\r\n" + FAR.encode() + b"three\n\xfe"
    after = before.replace(b"two\r\n", b"2\r\n").replace(b"three", b"3")
    change = HunkedChange(before, after)
    assert len(change.hunks) == 2
    assert change.chosen({0: Choice(accepted=False)}) == before.replace(b"three", b"3")
    assert change.chosen({1: Choice(accepted=False)}) == before.replace(b"two", b"2")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_encodings_with_a_mark_stay(mark: bytes) -> None:
    encoding = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le"}.get(mark, "utf-16-be")
    text = "één\n" + FAR + "two\n"

    def coded(text: str) -> bytes:
        return mark + text.encode(encoding)

    change = HunkedChange(coded(text), coded(text.replace("één", "1").replace("two", "2")))
    assert change.chosen({0: Choice(accepted=False)}) == coded(text.replace("two", "2"))
    edited = change.chosen({0: Choice(accepted=True, text="ünd\n"), 1: Choice(accepted=False)})
    assert edited == coded(text.replace("één", "ünd"))


def test_another_encoding_can_only_be_taken_whole() -> None:
    before = codecs.BOM_UTF16_LE + f"a\n{FAR}b\n".encode("utf-16-le")
    change = HunkedChange(before, f"A\n{FAR}B\n".encode())
    assert len(change.hunks) == 2
    assert change.chosen({}) == change.after
    assert change.chosen({0: Choice(accepted=False), 1: Choice(accepted=False)}) == before
    with pytest.raises(ToolFailure, match="taken or left as a whole"):
        change.chosen({0: Choice(accepted=False)})


def test_a_new_file_and_a_deleted_one_are_one_hunk() -> None:
    created, deleted = HunkedChange(None, FAR.encode()), HunkedChange(FAR.encode(), None)
    assert len(created.hunks) == len(deleted.hunks) == 1
    assert created.chosen({0: Choice(accepted=False)}) is None
    assert created.chosen({0: Choice(accepted=True, text="mine")}) == b"mine\n"
    assert deleted.chosen({0: Choice(accepted=False)}) == FAR.encode()
    assert deleted.chosen({0: Choice(accepted=True, text="")}) is None
    assert deleted.chosen({0: Choice(accepted=True, text="kept\n")}) == b"kept\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [("x\ny", b"x\r\ny\r\n"), ("x\n", b"x\r\n"), ("", b""), ("\n", b"\r\n"), ("x\n\n", b"x\r\n\r\n")],
)
def test_a_persons_lines_get_the_ends_of_the_file(text: str, lines: bytes) -> None:
    change = HunkedChange(b"a\r\nold\r\nz\r\n", b"a\r\nnew\r\nz\r\n")
    assert change.chosen({0: Choice(accepted=True, text=text)}) == b"a\r\n" + lines + b"z\r\n"


def test_a_missing_last_newline_stays_missing() -> None:
    change = HunkedChange(b"a\nold", b"a\nnew")
    assert change.chosen({0: Choice(accepted=True, text="x\ny\n")}) == b"a\nx\ny"


def test_lines_that_were_left_as_shown_keep_their_bytes() -> None:
    change = HunkedChange(b"one\n", "keep\u200b\n".encode() + b"raw \xff\nnew\n")
    edited = change.chosen({0: Choice(accepted=True, text="keep⟨U+200B⟩\nraw \ufffd\nmine\n")})
    assert edited == "keep\u200b\n".encode() + b"raw \xff\nmine\n"


def test_text_that_the_file_cannot_hold_is_refused() -> None:
    change = HunkedChange(b"\xff\nold\n", b"\xff\nnew\n")
    with pytest.raises(ToolFailure, match="plain ASCII"):
        change.chosen({0: Choice(accepted=True, text="é")})


def test_line_ends_alone_are_a_change_that_can_be_seen_and_left() -> None:
    before, after = "a\r\nb\n", "a\nb\n"
    assert "-a\r\n+a\n" in unified_diff(before, after, "f").text
    change = HunkedChange(before.encode(), after.encode())
    assert change.chosen({0: Choice(accepted=False)}) == before.encode()
