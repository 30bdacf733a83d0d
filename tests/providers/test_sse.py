"""The readers of event streams and JSON lines, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.sse import JsonLinesReader, LineReader, LineTooLongError, ServerEvent, SseReader


def read(content: bytes, size: int = 0) -> list[ServerEvent]:
    reader = SseReader()
    size = size or len(content) or 1
    events = [event for at in range(0, len(content), size) for event in reader.feed(content[at : at + size])]
    return events + reader.finish()


def data(content: bytes | str, size: int = 0) -> list[str]:
    content = content.encode() if isinstance(content, str) else content
    return [event.data for event in read(content, size)]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 0])
def test_every_line_end_and_every_cut(end: str, size: int) -> None:
    content = end.join(["", "", ": a comment", "event: greeting", "data: héllo 🎉", "", "data:no space", "", ""])
    assert read(content.encode(), size) == [
        ServerEvent(name="greeting", data="héllo 🎉"),
        ServerEvent(data="no space"),
    ]


def test_only_the_first_space_after_the_colon_goes() -> None:
    assert data("data:  two\n\n") == [" two"]


def test_lines_of_one_event_are_joined() -> None:
    assert data("data: a\ndata\ndata: b\n\n") == ["a\n\nb"]


def test_name_does_not_leak_into_the_next_event() -> None:
    assert [event.name for event in read(b"event: a\ndata: 1\n\ndata: 2\n\n")] == ["a", ""]


def test_event_without_data_is_none() -> None:
    assert read(b"event: a\n\nid: 7\nretry: 10\n\n:\n\n") == []


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("size", [1, 0])
def test_unicode_separators_do_not_end_a_line(separator: str, size: int) -> None:
    assert data(f'data: {{"t":"a{separator}b"}}\n\n', size) == [f'{{"t":"a{separator}b"}}']


@pytest.mark.parametrize("size", [1, 2, 0])
def test_byte_order_mark_is_dropped_at_the_start_only(size: int) -> None:
    assert data(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", size) == ["a", "c"]


def test_last_event_needs_no_blank_line_and_no_line_end() -> None:
    assert data("data: a\n\ndata: b\n") == ["a", "b"]
    assert data("data: a\n\ndata: b") == ["a", "b"]
    assert data("data: a\r") == ["a"]


def test_invalid_utf8_is_replaced() -> None:
    assert data(b"data: a\xffb\n\n") == ["a\ufffdb"]


@pytest.mark.parametrize("size", [1, 1000])
def test_too_long_a_line_is_refused(size: int) -> None:
    reader = SseReader(limit=5000)
    with pytest.raises(LineTooLongError, match="5,000 bytes"):
        for _ in range(0, 6000, size):
            reader.feed(b"x" * size)


def test_too_long_a_whole_line_is_refused() -> None:
    with pytest.raises(LineTooLongError):
        SseReader(limit=10).feed(b"data: 0123456789\n\n")


@pytest.mark.parametrize("line", [b"data: 0123456789\n", b"data:\n"])
def test_too_much_data_in_one_event_is_refused(line: bytes) -> None:
    reader = SseReader(limit=100)
    with pytest.raises(LineTooLongError):
        for _ in range(200):
            reader.feed(line)


LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), max_size=20)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(st.binary(max_size=12), ENDS), max_size=20), st.integers(1, 9))
def test_lines_do_not_depend_on_the_cuts(parts: list[tuple[bytes, bytes]], size: int) -> None:
    content = b"".join(line + end for line, end in parts)
    whole, pieces = LineReader(), LineReader()
    at_once = whole.feed(content) + whole.finish()
    in_pieces = [line for at in range(0, len(content), size) for line in pieces.feed(content[at : at + size])]
    assert in_pieces + pieces.finish() == at_once


@given(LINES, ENDS)
def test_lines_are_what_was_written(lines: list[bytes], end: bytes) -> None:
    reader = LineReader()
    found = reader.feed(end.join(lines) + end) + reader.finish()
    expected = [line.removeprefix(b"\xef\xbb\xbf") if at == 0 else line for at, line in enumerate(lines or [b""])]
    assert found == expected


@given(st.binary(max_size=300), st.integers(1, 9))
def test_events_do_not_depend_on_the_cuts(content: bytes, size: int) -> None:
    assert read(content, size) == read(content)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_json_lines(size: int) -> None:
    content = '{"a":"é\u2028"}\r\n\n  \n{"b":2}'.encode()
    reader = JsonLinesReader()
    events = [event for at in range(0, len(content), size) for event in reader.feed(content[at : at + size])]
    assert [event.data for event in events + reader.finish()] == ['{"a":"é\u2028"}', '{"b":2}']
