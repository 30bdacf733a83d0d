"""Output is kept head and tail, whole on disk, and shown as a trickle."""

import asyncio
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.bounds import clipped, joined_lines, size
from patchbay.tools.output import BoundedOutput, LiveOutput


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(2, 400))
def test_short_output_is_whole_and_long_output_bounded(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], limit: int
) -> None:
    output = BoundedOutput(limit, folder=tmp_path_factory.getbasetemp() / "spill", name="x")
    for chunk in chunks:
        output.add(chunk)
    output.close()
    everything = b"".join(chunks)
    if len(everything) <= limit:
        assert output.text() == everything.decode("utf-8", "replace")
        assert output.path is None
    else:
        assert output.path is not None and output.path.read_bytes() == everything
        assert str(output.path) in output.text()
        output.path.unlink()


def test_head_tail_and_what_is_missing(tmp_path: Path) -> None:
    output = BoundedOutput(100, folder=tmp_path / "spill", name="run/../1")
    for number in range(1000):
        output.add(f"line {number}\n".encode())
    output.close()
    lines = output.text().split("\n")
    assert lines[0] == "line 0" and lines[-2] == "line 999"
    middle = next(line for line in lines if line.startswith("[…"))
    kept = sum(len(line) + 1 for line in lines if line.startswith("line"))
    assert f"{output.total - kept:,} of {output.total:,} bytes" in middle
    assert output.path is not None and output.path.parent == tmp_path / "spill"
    assert stat.S_IMODE(output.path.stat().st_mode) == 0o600
    assert output.path.read_text().count("\n") == 1000


def test_old_files_go(tmp_path: Path) -> None:
    for number in range(60):
        output = BoundedOutput(2, folder=tmp_path, name=f"r{number}")
        output.add(b"longer")
        output.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 40
    assert any(name.startswith("r59-") for name in names)


def test_no_place_for_the_file_costs_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    output = BoundedOutput(4, folder=tmp_path / "taken", name="x")
    output.add(b"0123456789")
    output.close()
    assert output.path is None
    assert output.text().startswith("01") and output.text().endswith("89")


async def test_live_output_shows_everything_little_at_once() -> None:
    shown: list[str] = []
    live = LiveOutput(shown.append)
    for number in range(100):
        live.add(f"{number}é\n".encode()[:-2])
        live.add(b"\xa9\n")
    live.close()
    assert "".join(shown) == "".join(f"{number}é\n" for number in range(100))
    assert len(shown) < 20


async def test_live_output_of_a_flood_is_bounded_and_ends_with_the_end() -> None:
    shown: list[str] = []
    live = LiveOutput(shown.append)
    for _ in range(2000):
        live.add(b"x" * 65_536)
    live.add(b"the end\n")
    live.close()
    assert sum(map(len, shown)) < 1_000_000
    assert shown[-1].endswith("the end\n")


async def test_live_output_comes_without_waiting_for_more() -> None:
    shown: asyncio.Queue[str] = asyncio.Queue()
    live = LiveOutput(shown.put_nowait)
    live.add(b"one ")
    live.add(b"two")
    async with asyncio.timeout(20):
        assert await shown.get() + await shown.get() == "one two"


@given(st.text(max_size=400), st.integers(0, 300))
def test_clipped_is_within_its_bound(text: str, limit: int) -> None:
    short = clipped(text, limit)
    assert len(short.encode("utf-8", "replace")) <= limit
    if size(text) <= limit:
        assert short == text


@given(st.lists(st.text(max_size=20), max_size=20), st.integers(0, 200))
def test_joined_lines_are_the_first_ones_that_fit(lines: list[str], limit: int) -> None:
    text, count = joined_lines(lines, limit)
    assert text == "\n".join(lines[:count])
    assert size(text) <= limit
    if count < len(lines):
        assert size("\n".join(lines[: count + 1])) > limit
