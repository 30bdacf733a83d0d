"""Edits land where they must, or nothing changes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from patchbay.tools.failures import ToolFailure
from patchbay.tools.regions import nearest_regions
from patchbay.tools.replacing import Replacement, replace_all
from patchbay.tools.text_file import Lines, TextFile, decode

LINES = st.text(alphabet="ab \t\r\n.", max_size=40)
WHOLE_LINE_ENDS = st.lists(st.sampled_from(["a", "b", " ", "\n", "\r\n"]), max_size=20).map("".join)


def edited(text: str, old: str, new: str, *, everywhere: bool = False) -> str:
    return replace_all(text, [Replacement(old=old, new=new, everywhere=everywhere)]).text


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("one two three", "two", "2", "one 2 three"),
        ("a.c abc\n", "a.c", r"\1\g<0>$&", r"\1\g<0>$& abc" + "\n"),
        ("a\nb\nc\n", "b\n", "", "a\nc\n"),
        ("abc", "abc", "", ""),
        ("a\r\nb\r\nc\r\n", "a\nb", "a\nx\ny", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nb", "a\r\nB", "a\r\nB\r\nc\r\n"),
        ("a\nb\n", "b", "x\r\ny", "a\nx\ny\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc", "a\nB\nc", "a\r\nB\nc\r\n"),
        ("a\rb\rc", "b", "x\ny", "a\rx\ry\rc"),
        ("one", "one", "one\ntwo\n", "one\ntwo\n"),
        ("a\x0cb\x1cd\x85e\u2028f\n", "d", "D", "a\x0cb\x1cD\x85e\u2028f\n"),
        ("tail", "tail\n", "TAIL\n", "TAIL"),
    ],
)
def test_exact(text: str, old: str, new: str, expected: str) -> None:
    replaced = replace_all(text, [Replacement(old=old, new=new)])
    assert replaced.text == expected


@pytest.mark.parametrize(
    ("text", "old", "new", "expected", "tolerance"),
    [
        ("a  \nb\t\nc\n", "a\nb", "a\nB", "a  \nB\nc\n", "line ends"),
        ("say “hi” – ok\nnext\n", 'say "hi" - ok', 'say "ho" - ok', 'say "ho" - ok\nnext\n', "typographic"),
        (
            "x\n    if a:\n        b()\n",
            "if a:\n    b()",
            "if a:\n    c()\n    d()",
            "x\n    if a:\n        c()\n        d()\n",
            "ind",
        ),
        (
            "f {\n\told()\n}\n",
            "f {\n    old()\n}",
            "f {\n    new()\n        deep()\n}",
            "f {\n\tnew()\n\t\tdeep()\n}\n",
            "ind",
        ),
        ("if x:\n  y()\n", "    if x:\n      y()", "    if x:\n      z()", "if x:\n  z()\n", "indentation"),
        ("x  =   1\n", "x = 1", "x = 2", "x = 2\n", "within"),
        (
            "\tkeep = 1  \n\told = 1\n",
            "    keep = 1\n    old = 1\n",
            "    keep = 1\n    new = 1\n",
            "\tkeep = 1  \n\tnew = 1\n",
            "ind",
        ),
    ],
)
def test_tolerant(text: str, old: str, new: str, expected: str, tolerance: str) -> None:
    replaced = replace_all(text, [Replacement(old=old, new=new)])
    assert replaced.text == expected
    assert tolerance in replaced.notes[0]


def test_tolerance_deletes_whole_lines() -> None:
    assert edited("a\n  b  \nc\n", "  b\n", "") == "a\nc\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "cause"),
    [
        ("foo bar foo", "foo", "x", r"2 times, at lines 1, 1"),
        ("a\nfoo\nb\nfoo\n", "foo", "x", r"2 times, at lines 2, 4"),
        ("aaa", "aa", "b", "2 times"),
        ("  x = 1\n    x = 1\n", "x = 1 ", "x = 2", "not in the file|2 times"),
        ("a\u200bb\n", "ab", "X", "not in the file"),
        ("def f():\n    g()\n", "def x():\n    g()", "y", "not in the file"),
        ("a\n", "", "b", "empty"),
        ("a\n", "a", "a", "same"),
        ("a\r\n", "a\r\n", "a\n", "same"),
        ("1\tfoo\n", "12\tbar\n13\tbaz", "x", "line numbers"),
        ("  a:\n      b\n        c\n", "a:\n  b\n  c", "a:\n  z\n  c", "indentation"),
        ("  f  g {\n    x\n  }\n", "f g {\n    x\n  }", "f {\n  y\n}", "indentation"),
    ],
)
def test_refused_with_the_cause(text: str, old: str, new: str, cause: str) -> None:
    with pytest.raises(ToolFailure, match=cause):
        edited(text, old, new)


def test_not_found_shows_the_nearest_regions_with_numbers() -> None:
    text = "".join(f"def function_{n}(value):\n    return value * {n}\n\n" for n in range(50))
    with pytest.raises(ToolFailure) as failure:
        edited(text, "def function_7(values):\n    return values * 8\n", "x")
    assert "22\tdef function_7(value):" in failure.value.message
    assert failure.value.message.count("alike") == 3


def test_edits_build_on_each_other_and_fail_together() -> None:
    edits = [Replacement(old="a", new="b1"), Replacement(old="b1", new="c")]
    assert replace_all("a\n", edits).text == "c\n"
    with pytest.raises(ToolFailure, match=r"edits\[1\]"):
        replace_all("a\n", [Replacement(old="a", new="b"), Replacement(old="zzz", new="c")])


def test_edits_that_undo_each_other_change_nothing() -> None:
    with pytest.raises(ToolFailure, match="change nothing"):
        replace_all("a\n", [Replacement(old="a", new="b"), Replacement(old="b", new="a")])


def test_characters_are_replaced_as_read_shows_them() -> None:
    assert edited("a = '\x1b[0m'\nb\n", "a = '⟨U+001B⟩[0m'", "a = '⟨U+001B⟩[1m'") == "a = '\x1b[1m'\nb\n"
    assert edited("x\u202ey\n", "x⟨U+202E⟩y", "xy") == "xy\n"
    assert edited("say ⟨U+202E⟩ aloud\n", "⟨U+202E⟩", "⟨U+202D⟩") == "say ⟨U+202D⟩ aloud\n"


def test_everywhere() -> None:
    replaced = replace_all("foo\r\nfoo\nfoo", [Replacement(old="foo", new="x\ny", everywhere=True)])
    assert (replaced.text, replaced.places) == ("x\ny\r\nx\ny\nx\ny", 3)
    assert edited("aaaa", "aa", "b", everywhere=True) == "bb"


@given(LINES, LINES, WHOLE_LINE_ENDS)
def test_unique_text_is_replaced_and_the_rest_keeps_its_bytes(before: str, after: str, new: str) -> None:
    text = f"{before}<needle>{after}"
    assume("needle" not in new and new != "<needle>")
    result = edited(text, "<needle>", new)
    assert result.startswith(before) and result.endswith(after)
    middle = result[len(before) : len(result) - len(after)]
    assert middle.replace("\r\n", "\n").replace("\r", "\n") == new.replace("\r\n", "\n").replace("\r", "\n")


@given(LINES, LINES, LINES, st.booleans())
def test_result_or_failure_never_something_else(text: str, old: str, new: str, everywhere: bool) -> None:
    try:
        replaced = replace_all(text, [Replacement(old=old, new=new, everywhere=everywhere)])
    except ToolFailure as failure:
        assert failure.message
    else:
        assert replaced.text != text and replaced.places >= 1


@given(st.text(alphabet="ab\r\n", max_size=60), st.data())
def test_replaced_part_is_that_of_the_lines_view(original: str, data: st.DataObject) -> None:
    lines = Lines(original)
    start = data.draw(st.integers(0, len(lines.text)))
    end = data.draw(st.integers(start, len(lines.text)))
    result = lines.replaced([(start, end, "Z")])
    expected = lines.text[:start] + "Z" + lines.text[end:]
    assert Lines(result).text.replace("\r", "\n") == expected.replace("\r", "\n")


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda t: t.encode("utf-8", "ignore")))
def test_bytes_survive_decoding(data: bytes) -> None:
    file = decode(data)
    if file is not None:
        assert file.encoded(file.text) == data


@pytest.mark.parametrize(
    "mark, encoding", [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
)
def test_byte_order_marks_are_kept(mark: bytes, encoding: str) -> None:
    data = mark + "using ä;\r\n".encode(encoding)
    file = decode(data)
    assert file is not None and file.text == "using ä;\r\n"
    assert file.encoded("x") == mark + "x".encode(encoding)


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\0\0", b"a\0b", b"\xff\xfe\0\0a\0\0\0", b"\x01\x02\x03\x04abc", b"\xff\xfea"]
)
def test_binary(data: bytes) -> None:
    assert decode(data) is None


def test_no_second_encoding_gets_into_a_file() -> None:
    file = decode("café".encode("latin-1"))
    assert file is not None
    file.refuse_unencodable("plain")
    with pytest.raises(ToolFailure, match="ASCII"):
        file.refuse_unencodable("naïve")
    with pytest.raises(ToolFailure, match="surrogates"):
        TextFile(text="").refuse_unencodable("\ud800")


def test_nearest_regions_do_not_overlap_and_are_ordered() -> None:
    lines = ["alpha beta", "gamma", "alpha beta", "delta", "alpha bet"]
    regions = nearest_regions(lines, ["alpha betas"])
    assert len(regions) == 3
    assert regions[0].likeness >= regions[-1].likeness
    assert len({region.first for region in regions}) == 3
    assert nearest_regions([], ["x"]) == []


def test_lines_that_are_everywhere_keep_the_bytes_of_the_file_between_changed_ones() -> None:
    count = 150
    there = "".join(f"\tvalue_{n} = {n}\n  \t\n" for n in range(count))
    asked = "".join(f"    value_{n} = {n}\n\n" for n in range(count))
    wanted = "".join(f"    other_{n} = {n}\n\n" for n in range(count))
    assert edited(there, asked, wanted) == "".join(f"\tother_{n} = {n}\n  \t\n" for n in range(count))
