"""Several files are written all or not at all, whatever fails and whenever."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from patchbay.tools import atomic_write
from patchbay.tools.atomic_write import FileWrite, WriteFailed, write_all


def tree(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Everything there: content, mode and identity of each file, and the folders."""
    found: dict[str, tuple[bytes, int, int]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(folder))
        content = b"" if path.is_dir() else path.read_bytes()
        found[name] = (content, status.st_mode, 0 if path.is_dir() else status.st_ino)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_bytes(b"1\n")
    (folder / "one").chmod(0o751)
    (folder / "sub/two").write_bytes(b"2\n")
    (folder / "gone").write_bytes(b"bye\n")
    (folder / "linked").write_bytes(b"L\n")
    os.link(folder / "linked", folder / "other name")
    return folder


def writes(folder: Path) -> list[FileWrite]:
    return [
        FileWrite(path=folder / "one", before=b"1\n", after=b"one\n"),
        FileWrite(path=folder / "new/deep/file", before=None, after=b"new\n", like=folder / "one"),
        FileWrite(path=folder / "gone", before=b"bye\n", after=None),
        FileWrite(path=folder / "linked", before=b"L\n", after=b"a longer text\n"),
        FileWrite(path=folder / "sub/two", before=b"2\n", after=b"two\n"),
    ]


def test_all_are_written_and_nothing_is_left_behind(folder: Path) -> None:
    write_all(writes(folder))
    after = tree(folder)
    files = {name: entry[0] for name, entry in after.items() if stat.S_ISREG(entry[1])}
    assert files == {"one": b"one\n", "new/deep/file": b"new\n", "sub/two": b"two\n",
                     "linked": b"a longer text\n", "other name": b"a longer text\n"}  # fmt: skip
    assert after["one"][1] & 0o777 == after["new/deep/file"][1] & 0o777 == 0o751
    assert after["linked"][2] == after["other name"][2]


CALLS = ("mkdir", "open", "link", "rename", "unlink", "fsync", "ftruncate", "fchmod", "stat")


class Fault:
    """Makes the n-th call of one function fail, once."""

    def __init__(self, name: str, number: int, code: int) -> None:
        self.real: Any = getattr(os, name)
        self.left = number
        self.code = code
        self.struck = False

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.struck = True
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments, **named)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("name", CALLS)
def test_any_call_may_fail_and_then_nothing_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """Each call in turn. A fault that is survived (a link that becomes a rename) must still do everything."""
    before = tree(folder)
    number = 0
    while True:
        number += 1
        fault = Fault(name, number, code)
        with monkeypatch.context() as patch:
            patch.setattr(atomic_write.os, name, fault)
            try:
                write_all(writes(folder))
            except WriteFailed:
                failed = True
            else:
                failed = False
        after = tree(folder)
        if failed:
            assert after == before, f"{name}, call {number}"
            continue
        assert after["one"][0] == b"one\n" and after["sub/two"][0] == b"two\n" and "gone" not in after
        if not fault.struck:
            break
        # done in spite of the fault: put everything back for the next one
        _restore(folder)
        before = tree(folder)
    assert number > 1 or name in ("ftruncate",)


def _restore(folder: Path) -> None:
    for path in sorted(folder.rglob(".patchbay-*")):
        path.unlink()
    (folder / "one").write_bytes(b"1\n")
    (folder / "one").chmod(0o751)
    (folder / "sub/two").write_bytes(b"2\n")
    (folder / "gone").write_bytes(b"bye\n")
    (folder / "linked").write_bytes(b"L\n")
    (folder / "new/deep/file").unlink()
    (folder / "new/deep").rmdir()
    (folder / "new").rmdir()


def test_the_second_rename_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(folder)
    monkeypatch.setattr(atomic_write.os, "rename", Fault("rename", 2, errno.EIO))
    with pytest.raises(WriteFailed) as failed:
        write_all(writes(folder))
    assert failed.value.index == 2 and tree(folder) == before


def test_an_interruption_takes_everything_back_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(folder)
    real, calls = os.rename, [0]

    def rename(*arguments: Any, **named: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        real(*arguments, **named)

    monkeypatch.setattr(atomic_write.os, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        write_all(writes(folder))
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("change", "index"),
    [
        (lambda folder: (folder / "one").write_bytes(b"!\n"), 0),
        (lambda folder: (folder / "sub/two").unlink(), 4),
        (lambda folder: (folder / "sub/two").chmod(0o444), 4),
        (lambda folder: [(folder / "new/deep").mkdir(parents=True), (folder / "new/deep/file").write_bytes(b"")], 1),
        (lambda folder: [(folder / "gone").unlink(), (folder / "gone").symlink_to("one")], 2),
    ],
)
def test_a_file_that_is_not_as_expected_stops_all(folder: Path, change: Any, index: int) -> None:
    change(folder)
    before = tree(folder)
    with pytest.raises(WriteFailed) as failed:
        write_all(writes(folder))
    assert failed.value.index == index and tree(folder) == before


def test_what_somebody_put_into_a_new_folder_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.rename, [0]

    def rename(*arguments: Any, **named: Any) -> None:
        calls[0] += 1
        if calls[0] == 2:
            (folder / "new/deep/theirs").write_bytes(b"theirs")
            raise OSError(errno.EIO, "no")
        real(*arguments, **named)

    monkeypatch.setattr(atomic_write.os, "rename", rename)
    with pytest.raises(WriteFailed):
        write_all(writes(folder))
    assert [path.name for path in (folder / "new/deep").iterdir()] == ["theirs"]
