"""Checkpoints: everything comes back, nothing of the person's is lost, and being cut off anywhere does not matter."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbay.tools import checkpoint_files, checkpoint_restore
from patchbay.tools.base import UndoUnit
from patchbay.tools.checkpoint_journal import Begun, Journal
from patchbay.tools.checkpoint_objects import MissingObject, ObjectStore
from patchbay.tools.checkpoint_scan import Limits
from patchbay.tools.events import Fate, FileChanged, RestoreKind
from support.undoing import Folder, play, tree


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def back(folder: Folder, what: str = "undo"):
    done = await getattr(folder.checkpoints, what)()
    assert done is not None
    await folder.checkpoints.settle(done.restore_id)
    return {file.path: file for file in done.files}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(12))
def test_undo_all_and_redo_all_give_the_same_bytes_modes_and_links(seed: int, tmp_path: Path) -> None:
    assert play(seed, tmp_path).problems == []


async def test_the_persons_own_later_edits_are_never_overwritten(folder: Folder) -> None:
    (folder.root / "old.txt").write_text("old\n")
    await folder.prompt()
    await folder.bash("echo new > old.txt; echo made > made.txt; mkdir d; echo x > d/inside; chmod 600 old.txt")
    (folder.root / "old.txt").write_text("mine\n")
    (folder.root / "made.txt").unlink()
    (folder.root / "d/mine").write_text("mine too\n")
    assert "+mine" in await folder.checkpoints.compare("old.txt")
    before = tree(folder.root)
    fates = await back(folder)
    assert fates["old.txt"].fate is Fate.KEPT and fates["d"].fate is Fate.KEPT
    assert "made.txt" not in fates, "it is as it was before: there is nothing to do"
    assert fates["d/inside"].fate is Fate.RESTORED
    assert tree(folder.root) == {path: value for path, value in before.items() if path != "d/inside"}
    await back(folder, "redo")
    assert tree(folder.root) == before


async def test_an_edit_in_between_keeps_what_came_before_it(folder: Folder) -> None:
    await folder.prompt()
    await folder.run("write", path="a.txt", content="one\n")
    (folder.root / "a.txt").write_text("one\nmine\n")
    await folder.run("read", path="a.txt")
    await folder.run("write", path="a.txt", content="one\nmine\ntwo\n")
    fates = await back(folder)
    assert (folder.root / "a.txt").read_text() == "one\nmine\n"
    assert "in between" in fates["a.txt"].why or fates["a.txt"].fate is Fate.RESTORED


async def test_what_somebody_changes_while_nothing_runs_belongs_to_them(folder: Folder) -> None:
    await folder.prompt()
    await folder.bash("echo one > a.txt")
    (folder.root / "theirs.txt").write_text("theirs\n")
    await folder.bash("echo two >> a.txt")
    await back(folder)
    assert set(tree(folder.root)) == {"theirs.txt"}


async def test_what_undo_does_not_cover_is_said_in_the_result(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limits=Limits(file_bytes=1000, changed_file_bytes=5000))
    (folder.root / ".gitignore").write_text("secret.env\nout/\n")
    (folder.root / "secret.env").write_text("KEY=1\n")
    (folder.root / "out").mkdir()
    (folder.root / "big.bin").write_bytes(b"x" * 80_000)
    (folder.root / "node_modules").mkdir()
    await folder.prompt()
    result = await folder.bash("echo y >> big.bin; echo KEY=2 > secret.env; rm -r out node_modules; echo ok > small")
    assert "Undo does not cover: " in result.content
    for said in ("big.bin (80 kB)", "secret.env (ignored by the project)", "out (deleted; ignored by the project)"):
        assert said in result.content
    assert "node_modules (deleted; it is never kept)" in result.content and "small" not in result.content
    fates = await back(folder)
    assert fates["small"].fate is Fate.RESTORED and fates["big.bin"].fate is Fate.LOST
    assert not (folder.root / "small").exists()
    assert (await folder.bash("true")).content == "[exit 0]", "nothing to say when all is covered"


async def test_a_large_file_that_a_command_made_is_named_and_left(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limits=Limits(file_bytes=1000, changed_file_bytes=5000))
    await folder.prompt()
    result = await folder.bash("head -c 9000 /dev/zero > made.bin")
    assert "Undo does not cover: made.bin (9.0 kB)" in result.content
    assert (await back(folder))["made.bin"].fate is Fate.LOST
    assert (folder.root / "made.bin").exists()


async def test_files_that_stop_being_ignored_are_not_taken_for_new_ones(folder: Folder) -> None:
    (folder.root / ".gitignore").write_text("private\ndata/\n")
    (folder.root / "private").write_text("mine\n")
    (folder.root / "data").mkdir()
    (folder.root / "data/row").write_text("mine\n")
    await folder.prompt()
    await folder.bash("rm .gitignore; echo x > new")
    await back(folder)
    assert (folder.root / "private").exists() and (folder.root / "data/row").exists()
    assert not (folder.root / "new").exists() and (folder.root / ".gitignore").exists()


async def test_beyond_the_limit_nothing_is_taken_for_new(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limits=Limits(files=5))
    for number in range(20):
        (folder.root / f"f{number}").write_text("mine\n")
    await folder.prompt()
    result = await folder.bash("rm f0 f1 f2; echo x > f-new")
    assert "too large" in result.content
    await folder.checkpoints.undo()
    assert len([name for name in os.listdir(folder.root) if name != "f-new"]) >= 17


async def test_commands_tell_what_they_changed_like_edits_do(folder: Folder) -> None:
    (folder.root / "a").write_text("old\n")
    await folder.prompt()
    folder.events.clear()
    await folder.bash("echo new > a; echo b > b; mkdir empty")
    changed = {event.path: event for event in folder.events if isinstance(event, FileChanged)}
    assert set(changed) == {"a", "b"}
    assert (changed["a"].before, changed["a"].after) == ("old\n", "new\n") and changed["b"].created


async def test_undo_by_prompt_and_by_turn(folder: Folder) -> None:
    await folder.checkpoints.begin(turn_id="t", prompt_id="p1")
    await folder.run("write", path="a", content="a")
    await folder.checkpoints.begin(turn_id="t", prompt_id="p2")
    await folder.run("write", path="b", content="b")
    done = await folder.checkpoints.undo(UndoUnit.PROMPT)
    assert done is not None and set(tree(folder.root)) == {"a"}
    await folder.checkpoints.settle(done.restore_id)
    await back(folder, "redo")
    await back(folder)
    assert tree(folder.root) == {}


async def test_rewind_goes_back_to_a_prompt_even_one_that_changed_nothing(folder: Folder) -> None:
    first = await folder.prompt()
    await folder.run("write", path="a", content="a")
    second = await folder.prompt()
    third = await folder.prompt()
    await folder.bash("echo b > b; mv a c")
    assert await folder.checkpoints.changed_since() == {first: 3, second: 3, third: 3}
    seen = await folder.checkpoints.preview(RestoreKind.REWIND, second)
    done = await folder.checkpoints.rewind(second)
    assert seen is not None and seen.files == done.files
    assert set(tree(folder.root)) == {"a"}


async def test_new_changes_cut_off_the_redo(folder: Folder) -> None:
    await folder.prompt()
    await folder.run("write", path="a", content="a")
    await back(folder)
    await folder.prompt()
    await folder.run("write", path="b", content="b")
    assert await folder.checkpoints.redo() is None
    assert set(tree(folder.root)) == {"b"}


async def test_hard_links_and_their_other_names_come_back(folder: Folder) -> None:
    (folder.root / "a").write_text("one\n")
    os.link(folder.root / "a", folder.root / "b")
    await folder.prompt()
    await folder.run("read", path="a")
    await folder.run("write", path="a", content="two\n")
    assert (folder.root / "b").read_text() == "two\n", "the edit goes to both names"
    await back(folder)
    assert (folder.root / "a").read_text() == (folder.root / "b").read_text() == "one\n"
    assert (folder.root / "a").stat().st_ino == (folder.root / "b").stat().st_ino


async def test_git_is_not_touched(folder: Folder) -> None:
    (folder.root / ".git").mkdir()
    (folder.root / ".git/HEAD").write_text("x")
    await folder.prompt()
    await folder.bash("echo y > .git/HEAD; echo z > .git/new; echo a > a")
    await back(folder)
    assert (folder.root / ".git/HEAD").read_text() == "y\n" and (folder.root / ".git/new").exists()


async def test_an_edit_that_died_before_its_record_can_be_undone(folder: Folder) -> None:
    """The plan is on the disk before the run: nothing but the machine's death may come between."""
    await folder.prompt()
    await folder.run("write", path="new/a", content="one\n")
    journal = next((folder.base / "store/sessions").iterdir())
    lines = journal.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["done"] is True
    journal.write_bytes(b"".join(lines[:-1]))
    folder.reopen()
    await back(folder)
    assert tree(folder.root) == {}


class Died(BaseException):
    """The process is gone."""


CALLS = ("rename", "unlink", "rmdir", "mkdir", "symlink", "chmod", "fsync", "link", "fchmod")


def dies_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """Make the process die before system call number ``step`` of putting back; returns how many there were."""
    count = [0]

    def dying(name: str):
        original = getattr(os, name)

        def call(*args, **kwargs):
            count[0] += 1
            if count[0] == step:
                raise Died
            return original(*args, **kwargs)

        return call

    class Calls:
        def __getattr__(self, name: str):
            return dying(name) if name in CALLS else getattr(os, name)

    monkeypatch.setattr(checkpoint_files, "os", Calls())
    return lambda: count[0]


async def _changed(folder: Folder) -> tuple[dict, dict]:
    root = folder.root
    (root / "keep/deep").mkdir(parents=True)
    (root / "keep/deep/a").write_text("a\n")
    (root / "b").write_bytes(bytes(range(256)))
    (root / "l").symlink_to("b")
    (root / "turned").write_text("file\n")
    (root / "x").write_text("x")
    os.link(root / "x", root / "y")
    (root / "mode").write_text("m")
    before = tree(root)
    await folder.prompt()
    await folder.bash(
        "rm -r keep; echo new > b; ln -sfn nowhere l; rm turned; mkdir turned; echo i > turned/i; echo z >> x;"
        " chmod 751 mode; mkdir -p n/m; echo n > n/m/o"
    )
    after = tree(root)
    assert before != after
    return before, after


@pytest.mark.parametrize("what", ["undo", "redo"])
async def test_dying_at_any_step_and_trying_again_ends_right(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, total = 1, 2
    while step <= total:
        folder = Folder(tmp_path / str(step))
        before, after = await _changed(folder)
        if what == "redo":
            await back(folder)
        with monkeypatch.context() as patch:
            steps = dies_at(patch, step)
            try:
                await getattr(folder.checkpoints, what)()
                total = steps()
            except Died:
                total = step + 1
        folder.reopen()
        done = await folder.checkpoints.unfinished()
        assert done is not None and done.kind.value == what
        expected = before if what == "undo" else after
        assert tree(folder.root) == expected, step
        assert [file for file in done.files if file.fate is not Fate.RESTORED] == []
        again = await getattr(folder.checkpoints, what)()
        assert again is not None and tree(folder.root) == expected, "it was the one that was asked for"
        step += 1
    assert total > 25


async def test_what_the_person_does_after_a_death_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    await folder.prompt()
    await folder.bash("echo a > a; echo b > b")

    def died(*_args: object, **_more: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_restore, "_put", died)
        patch.setattr(checkpoint_restore.files, "remove", died)
        with pytest.raises(Died):
            await folder.checkpoints.undo()
    (folder.root / "b").write_text("mine\n")
    folder.reopen()
    fates = await back(folder)
    assert fates["b"].fate is Fate.KEPT and (folder.root / "b").read_text() == "mine\n"
    assert not (folder.root / "a").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_closed_folders_are_opened_for_the_moment(folder: Folder) -> None:
    (folder.root / "d").mkdir()
    (folder.root / "d/a").write_text("a")
    before = tree(folder.root)
    await folder.prompt()
    await folder.bash("rm d/a; chmod 555 d")
    await back(folder)
    assert tree(folder.root) == before


# -- the files of the store -------------------------------------------------------------------------------------------


async def test_a_torn_last_line_is_dropped_and_a_damaged_one_passed_over(folder: Folder) -> None:
    await folder.prompt()
    await folder.run("write", path="a", content="a")
    await folder.prompt()
    await folder.run("write", path="b", content="b")
    journal = next((folder.base / "store/sessions").iterdir())
    whole = journal.read_bytes()
    for cut in range(len(whole) - 40, len(whole)):
        journal.write_bytes(whole[:cut])
        records = Journal(journal).read()
        assert len(records) == len(whole.splitlines()) - 1
        Journal(journal).append(Begun(turn="x", prompt="y"))
        assert Journal(journal).read()[-1] == Begun(turn="x", prompt="y")
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b'{"type":"step"}\n\xff\xfe\n[]\n', *lines[1:]]))
    damaged = Journal(journal)
    assert len(damaged.read()) == len(lines) and len(damaged.problems) == 3
    folder.reopen()
    await back(folder)
    assert set(tree(folder.root)) == {"a"}


async def test_the_store_belongs_to_the_person_alone(folder: Folder) -> None:
    await folder.prompt()
    await folder.run("write", path="a", content="a")
    for base, folders, files in os.walk(folder.base / "store"):
        assert stat.S_IMODE(os.stat(base).st_mode) == 0o700, base
        assert all(stat.S_IMODE(os.stat(os.path.join(base, name)).st_mode) == 0o600 for name in files)
        del folders


async def test_a_store_that_cannot_be_used_is_said_and_the_call_runs(folder: Folder) -> None:
    (folder.base / "store").write_text("a file where the folder should be")
    await folder.prompt()
    result = await folder.bash("echo hi > a")
    assert "Undo does not cover this call: " in result.content and (folder.root / "a").exists()


def test_reading_another_sessions_journal_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(b'{"type":"begun","turn":"t","prompt":"p"}\n{"type":"beg')
    assert Journal(path).read(mend=False) == [Begun(turn="t", prompt="p")]
    assert path.read_bytes().endswith(b'{"type":"beg')


def test_objects_are_checked(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    digest = store.put(b"content")
    assert store.get(digest) == b"content" and store.put(b"content") == digest
    path = next(each for each in tmp_path.rglob("*") if each.is_file())
    path.write_bytes(b"")
    assert store.put(b"content") == digest and store.get(digest) == b"content"
    path.write_bytes(b"damaged")
    with pytest.raises(MissingObject):
        store.seal(digest)
    assert store.prune(frozenset({digest}), older_than=1e12) == 0
    assert store.prune(frozenset(), older_than=1e12) == 1 and not store.has(digest)


async def test_a_damaged_content_is_said_not_written(folder: Folder) -> None:
    (folder.root / "a").write_text("old")
    await folder.prompt()
    await folder.bash("echo new > a")
    for path in (folder.base / "store/objects").rglob("*"):
        if path.is_file():
            path.write_bytes(b"?")
    fates = await back(folder)
    assert fates["a"].fate is Fate.LOST and (folder.root / "a").read_text() == "new\n"
