from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.snippets import snippet


def marked(body, *words):
    shown = snippet(body, words)
    return [shown.text[start:end] for start, end in shown.marks]


def test_the_piece_is_where_most_of_the_words_are():
    body = "lamp " + "and nothing of it " * 40 + "the lamp of the harbour turns"
    shown = snippet(body, ("lamp", "harb"))
    assert "harbour" in shown.text
    assert marked(body, "lamp", "harb") == ["lamp", "harbour"]
    assert shown.text.startswith("…")
    assert not shown.text.endswith("…")


def test_whole_words_but_the_last_may_be_unfinished():
    assert marked("a lamplight and a lamp", "lamp", "lig") == ["lamp"]
    assert marked("a lamplight and a lamp", "lamp") == ["lamplight", "lamp"]


def test_accents_and_case_do_not_matter_and_places_stay():
    assert marked("Das Übermaß der Größe", "uber", "grosse") == []
    assert marked("Das ÜBERMASS an Tönen", "tonen") == ["Tönen"]
    assert marked("ﬁ İstanbul Straße", "straße") == ["Straße"]


def test_it_stands_on_one_line():
    shown = snippet("first\n\n\tthe  lamp\nlast", ("lamp",))
    assert shown.text == "first the lamp last"
    assert shown.text[slice(*shown.marks[0])] == "lamp"


def test_what_cannot_be_seen_is_shown_from_its_beginning():
    shown = snippet("one two three", ("zebra",))
    assert (shown.text, shown.marks) == ("one two three", ())


@given(st.text(max_size=600), st.lists(st.text(min_size=1, max_size=6), max_size=3))
def test_any_text_gives_one_line_with_marks_inside(body, words):
    shown = snippet(body, words)
    assert "\n" not in shown.text
    assert all(0 <= start < end <= len(shown.text) for start, end in shown.marks)
