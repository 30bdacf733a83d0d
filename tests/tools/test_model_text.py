"""What a model reads holds nothing hidden, whichever tool it comes from, and files stay addressable all the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.events import Outcome
from patchbay.tools.safe_text import marked, marked_exactly, marked_name, unmarked, visible_text

EVIL = "a\x1b[2Jb\x1b]52;c;aGk=\x07c\u202ed\U000e0041e\u200bf\x9b1mg\x00"
HIDDEN = frozenset("\x1b\x07\u202e\U000e0041\u200b\x9b\x00\r")
EVERYTHING = st.text(st.characters(codec="utf-8") | st.sampled_from("⟨⟩U+0123456789ABCDEF\u200d\u200c\x1b\ufe0f"))


@given(EVERYTHING)
def test_what_is_shown_exactly_can_be_taken_back(text: str) -> None:
    assert unmarked(marked_exactly(text)) == text


@given(EVERYTHING)
def test_marking_twice_is_marking_once(text: str) -> None:
    assert marked(marked(text)) == marked(text)
    assert visible_text(visible_text(text)[0]) == (visible_text(text)[0], 0)


@given(EVERYTHING)
def test_no_control_and_no_direction_mark_is_left(text: str) -> None:
    for shown in (marked(text), visible_text(text)[0]):
        assert not any(ord(char) < 32 and char not in "\n\t" for char in shown)
        assert not set(shown) & set("\x7f\x9b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\ufeff\U000e0041")
    assert "\n" not in marked_name(text) and "\t" not in marked_name(text)


@pytest.mark.parametrize("text", ["👩\u200d👩\u200d👧", "می\u200cخواهم", "क\u094d\u200dष", "plain", "naïve 日本"])
def test_joiners_of_a_script_or_an_emoji_stay(text: str) -> None:
    assert marked(text) == marked_exactly(text) == text and visible_text(text) == (text, 0)


@pytest.mark.parametrize("text", ["ab\u200dc", "a\u200cb", "👩 \u200d", "\u200d\u200d\u200d"])
def test_other_joiners_do_not(text: str) -> None:
    assert not set(marked(text)) & {"\u200c", "\u200d"}


async def test_read_shows_what_is_hidden_and_says_so(bench) -> None:
    bench.file("a.txt", "plain\nx\x1b[31m\u202ey\n")
    result = await bench.run("read", path="a.txt")
    assert result.content.split("\n") == [
        "1\tplain",
        "2\tx⟨U+001B⟩[31m⟨U+202E⟩y",
        "[⟨U+…⟩ stands for one control or invisible character; edit takes it so]",
    ]
    plain = await bench.run("read", path="a.txt", limit=1)
    assert "stands for" not in plain.content


async def test_lines_end_as_before(bench) -> None:
    bench.file("a.txt", "one\r\ntwo\r\n")
    assert (await bench.run("read", path="a.txt")).content == "1\tone\n2\ttwo"
    assert "⟨" not in (await bench.run("grep", pattern="one")).content


async def test_no_tool_lets_anything_hidden_through(bench) -> None:
    bench.file("evil.txt", EVIL.replace("\x00", ""))
    name = "n\u202e\x1b[2J\nforged: 12"
    bench.file(name, "needle")
    bench.file("needle.txt", f"needle {EVIL}".replace("\x00", ""))
    calls = [
        ("read", {"path": "evil.txt"}),
        ("grep", {"pattern": "needle|a"}),
        ("glob", {"pattern": "*"}),
        ("list", {}),
        ("list", {"path": "evil.txt"}),
        ("bash", {"command": "cat evil.txt; ls"}),
        ("read", {"path": f"missing{EVIL}"}),
        ("read", {"path": "missing\u202e"}),
        ("grep", {"pattern": f"({EVIL}"}),
        ("glob", {"pattern": "*", "path": "nowhere\u202e"}),
        ("edit", {"path": "evil.txt", "edits": [{"old_text": EVIL, "new_text": "x"}]}),
        (f"no{EVIL}", {}),
        ("read", {EVIL: 1}),
    ]
    for tool, arguments in calls:
        result = await bench.run(tool, **arguments)
        assert result.content, tool
        assert not HIDDEN & set(result.content), (tool, ascii(result.content))
        assert not HIDDEN & set(result.summary)
        assert all(not HIDDEN & set(each.title) for each in bench.started())


async def test_a_name_with_a_line_end_cannot_look_like_two(bench) -> None:
    bench.file("a\nb.txt", "needle")
    for tool, arguments in (("list", {}), ("glob", {"pattern": "*"}), ("grep", {"pattern": "needle"})):
        result = await bench.run(tool, **arguments)
        assert "a⟨U+000A⟩b.txt" in result.content, result.content


async def test_a_line_read_plainly_is_edited_as_before(bench) -> None:
    file = bench.file("a.txt", "x\x1b[0m\nplain\n")
    await bench.run("read", path="a.txt")
    result = await bench.run("edit", path="a.txt", edits=[{"old_text": "plain", "new_text": "better"}])
    assert result.outcome is Outcome.OK and file.read_bytes() == b"x\x1b[0m\nbetter\n"
