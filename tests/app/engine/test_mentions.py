import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.mentions import (
    MOST_MENTIONS,
    Reading,
    find_mentions,
    mention_of,
    unfinished_mention,
)


def read(text: str) -> list[list[tuple[str, int | None, int | None]]]:
    return [[(each.path, each.first, each.last) for each in mention.readings] for mention in find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("see @src/app.py", Reading(path="src/app.py")),
        ("@src/", Reading(path="src/")),
        ("@.", Reading(path=".")),
        ("(@a.py)", Reading(path="a.py")),
        ("@a.py, then", Reading(path="a.py")),
        ("is it @a.py?", Reading(path="a.py")),
        ("`@a.py`", Reading(path="a.py")),
        ("@a.py:10-40", Reading(path="a.py", first=10, last=40)),
        ("@a.py:40-10", Reading(path="a.py", first=10, last=40)),
        ("@a.py:7", Reading(path="a.py", first=7, last=7)),
        ("@a.py:7:3", Reading(path="a.py", first=7, last=7)),
        ("@a.py:7-", Reading(path="a.py", first=7)),
        ("@a.py:0-3", Reading(path="a.py", first=1, last=3)),
        ("@a.py#L3-L9", Reading(path="a.py", first=3, last=9)),
        ("@a.py:10-40.", Reading(path="a.py", first=10, last=40)),
        ('@"my notes.md"', Reading(path="my notes.md")),
        ('@"my notes.md":2-3,', Reading(path="my notes.md", first=2, last=3)),
        (r"@my\ notes.md", Reading(path="my notes.md")),
        ("@app/(group)/[slug].tsx", Reading(path="app/(group)/[slug].tsx")),
        ("@ä/ö.py", Reading(path="ä/ö.py")),
        ('@app.route("/x")', Reading(path="app.route")),
        ("a\n@b", Reading(path="b")),
    ],
)
def test_what_is_meant_is_among_the_readings(text, wanted):
    (mention,) = find_mentions(text)
    assert wanted in mention.readings
    assert text[mention.start] == "@"


@pytest.mark.parametrize("text", ["", "@", "@ x", "me@example.com", "root@host:/etc", "a.b@c", "x/@y", '@""', "1@2"])
def test_what_is_no_mention(text):
    assert find_mentions(text) == ()


def test_a_name_with_a_colon_is_read_as_it_stands_first():
    assert read("@a:10")[0] == [("a:10", None, None), ("a", 10, 10)]


def test_quotes_and_ranges_are_deliberate_a_bare_word_is_not():
    deliberate = [mention.deliberate for mention in find_mentions('@property @"a b" @x.py:3 @src/a.py')]
    assert deliberate == [False, True, True, False]


def test_there_is_a_bound_and_a_long_tail_costs_little():
    assert len(find_mentions("@a " * 500)) == MOST_MENTIONS
    (mention,) = find_mentions("@a" + ")" * 100_000)
    assert len(mention.readings) < 20


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("@", ""),
        ("see @src/ap", "src/ap"),
        ('see @"my no', "my no"),
        (r"@my\ no", "my no"),
        ("(@x", "x"),
    ],
)
def test_what_is_being_written(text, path):
    found = unfinished_mention(text)
    assert found is not None
    assert (found.path, text[found.start]) == (path, "@")


@pytest.mark.parametrize("text", ["", "word", "a@b", "@a ", "@a.py:1", '@"a b"', "@a#L1", "@a\n"])
def test_nothing_is_being_written(text):
    assert unfinished_mention(text) is None


PATHS = st.text(
    st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1
).filter(lambda path: path.strip() == path)


@given(PATHS, st.sampled_from(["", " ", "see ", "(", "\n"]), st.sampled_from(["", " and more", "\nnext"]))
def test_a_path_written_as_a_mention_is_read_as_that_path(path, before, after):
    mention = mention_of(path)
    text = before + mention + after
    found = find_mentions(text)
    assert found
    assert (found[0].start, text[found[0].start : found[0].end]) == (len(before), mention)
    assert path in [each.path for each in found[0].readings]


@given(PATHS, st.integers(1, 10**6), st.integers(0, 1000))
def test_a_range_comes_back(path, first, more):
    (mention, *_) = find_mentions(mention_of(path, f"{first}-{first + more}"))
    assert Reading(path=path, first=first, last=first + more) in mention.readings


@given(st.text(st.sampled_from('@"\\ \n:-#L1a/.()')))
def test_any_text_is_read_and_mentions_do_not_overlap(text):
    end = 0
    for mention in find_mentions(text):
        assert end <= mention.start < mention.end <= len(text)
        assert text[mention.start] == "@"
        assert mention.start == 0 or not re.match(r"\w", text[mention.start - 1])
        assert mention.readings
        assert all(each.path for each in mention.readings)
        end = mention.end
    unfinished_mention(text)
