"""A link put in the way between the decision and the opening wins nothing, however often it is tried."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchbay.tools.failures import ToolFailure
from patchbay.tools.workspace import Workspace

TRIES = 2500


@contextmanager
def swapping(swap: Callable[[], None]) -> Iterator[None]:
    """Do ``swap`` over and over beside what runs."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            swap()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace, and a folder outside of it with a secret of the same name."""
    root, outside = tmp_path / "repo", tmp_path / "outside"
    for folder, content in ((root / "sub", "mine"), (outside, "SECRET")):
        folder.mkdir(parents=True)
        (folder / "file").write_text(content)
    return root, outside


def swap_folder(root: Path, outside: Path) -> Callable[[], None]:
    """``sub`` is a folder, then a link to the outside, then the folder again: by renames, without a gap to notice."""
    (root / "evil").symlink_to(outside)

    def swap() -> None:
        os.rename(root / "sub", root / "real")
        os.rename(root / "evil", root / "sub")
        os.rename(root / "sub", root / "evil")
        os.rename(root / "real", root / "sub")

    return swap


def swap_file(root: Path, outside: Path) -> Callable[[], None]:
    """``sub/file`` is a file, then a link to the outside, then a file again."""

    def swap() -> None:
        (root / "link").symlink_to(outside / "file")
        os.replace(root / "link", root / "sub" / "file")
        (root / "new").write_text("mine")
        os.replace(root / "new", root / "sub" / "file")

    return swap


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", [swap_folder, swap_file])
def test_reading_never_follows_a_link_that_came_later(kind, places: tuple[Path, Path]) -> None:
    root, outside = places
    workspace = Workspace(root)
    read = 0
    with swapping(kind(root, outside)):
        for _ in range(TRIES):
            try:
                place = workspace.resolve("sub/file")
                if place.inside:
                    assert workspace.read(place) != b"SECRET"
                    read += 1
            except ToolFailure:
                pass
    assert read > 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", [swap_folder, swap_file])
def test_writing_never_follows_a_link_that_came_later(kind, places: tuple[Path, Path]) -> None:
    root, outside = places
    workspace = Workspace(root)
    with swapping(kind(root, outside)):
        for number in range(TRIES):
            try:
                place = workspace.resolve("sub/file")
                if place.inside:
                    workspace.write(place, f"mine {number}".encode(), replaces=workspace.read(place))
            except (ToolFailure, FileNotFoundError):
                pass
    assert (outside / "file").read_text() == "SECRET"
    assert sorted(os.listdir(outside)) == ["file"]
