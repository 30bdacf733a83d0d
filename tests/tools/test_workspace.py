"""Paths lead where they seem to, or are refused; files are written whole, or not at all."""

import os
import socket
import stat
from pathlib import Path

import pytest

from patchbay.tools.failures import ToolFailure
from patchbay.tools.sensitive import Concern, concern_of
from patchbay.tools.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("repo", "repo-evil", "outer", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "outer/secret").write_text("s")
    return tmp_path / "repo"


@pytest.fixture
def workspace(root: Path) -> Workspace:
    return Workspace(root, home=root.parent / "home")


@pytest.mark.parametrize(
    "path", ["a.txt", "./a.txt", "sub/../a.txt", "sub//../a.txt", "$HOME", "...", "{a,b}.txt", "ä 漢"]
)
def test_inside(workspace: Workspace, path: str) -> None:
    place = workspace.resolve(path)
    assert place.inside and place.readable
    assert place.real.is_relative_to(workspace.root)


def test_root_itself_is_inside_and_shown_as_dot(workspace: Workspace) -> None:
    assert workspace.resolve(".").shown == "."
    assert workspace.resolve(str(workspace.root)).inside


@pytest.mark.parametrize(
    "path", ["..", "../repo-evil/x", "/etc/passwd", "~", "~/.bashrc", "~root/x", "a/../../outer/secret"]
)
def test_outside(workspace: Workspace, path: str) -> None:
    place = workspace.resolve(path)
    assert not place.inside and not place.readable
    assert place.shown.startswith("/")


def test_sibling_with_the_same_beginning_is_outside(workspace: Workspace, root: Path) -> None:
    assert not workspace.resolve(f"{root}-evil/x").inside


def test_tilde_is_the_given_home(workspace: Workspace, root: Path) -> None:
    assert workspace.resolve("~/x").real == root.parent / "home/x"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "  ",
        "a\x00b",
        "a\nb",
        "a\x1b[31mb",
        "file:///etc/passwd",
        "https://x.test/a",
        "/proc/self/environ",
        "/dev/null",
        "/sys/kernel",
        "x" * 256,
        "x/" * 2048,
        "/proc/self/cwd/a.txt",
    ],
)
def test_refused(workspace: Workspace, path: str) -> None:
    with pytest.raises(ToolFailure):
        workspace.resolve(path)


def test_links_are_followed_before_anything_is_decided(workspace: Workspace, root: Path) -> None:
    (root / "out").symlink_to(root.parent / "outer")
    (root / "l1").symlink_to("l2")
    (root / "l2").symlink_to("../outer/secret")
    (root / "dangling").symlink_to("../outer/new")
    (root / "in").symlink_to("real.txt")
    for path in ("out/secret", "l1", "dangling", "out/deeper/new"):
        assert not workspace.resolve(path).inside, path
    assert workspace.resolve("in").shown == "real.txt"
    assert workspace.resolve("in").given == "in"


def test_loops_and_special_files_are_refused(workspace: Workspace, root: Path) -> None:
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "sock"))
        for path in ("loop", "loop/x", "pipe", "sock"):
            with pytest.raises(ToolFailure):
                workspace.resolve(path)


def test_workspace_reached_through_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    workspace = Workspace(root.parent / "link")
    assert workspace.resolve("a").inside
    assert workspace.resolve(str(root.parent / "link" / "a")).inside


def test_a_link_put_in_the_way_after_resolving_is_not_followed(workspace: Workspace, root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub/secret").write_text("mine")
    file, folder = workspace.resolve("sub/secret"), workspace.resolve("sub")
    (root / "sub/secret").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to("../outer")
    with pytest.raises(ToolFailure):
        workspace.read(file)
    with pytest.raises(ToolFailure):
        workspace.write(file, b"x", replaces=b"s")
    with pytest.raises(ToolFailure):
        workspace.entries(folder)
    assert (root.parent / "outer/secret").read_text() == "s"


def test_a_file_replaced_by_a_link_is_not_followed(workspace: Workspace, root: Path) -> None:
    new, old = workspace.resolve("new"), workspace.resolve("old")
    for name in ("new", "old"):
        (root / name).symlink_to("../outer/secret")
    with pytest.raises(ToolFailure):
        workspace.write(new, b"x", replaces=None)
    with pytest.raises(ToolFailure):
        workspace.write(old, b"x", replaces=b"s")
    with pytest.raises(ToolFailure):
        workspace.read(old)
    assert (root.parent / "outer/secret").read_text() == "s"


def test_reading_stops_at_the_limit(workspace: Workspace, root: Path) -> None:
    (root / "big").write_bytes(b"x" * 101)
    assert len(workspace.read(workspace.resolve("big"), limit=101)) == 101
    with pytest.raises(ToolFailure, match="larger than 100"):
        workspace.read(workspace.resolve("big"), limit=100)


def test_missing_file_names_similar_ones(workspace: Workspace, root: Path) -> None:
    (root / "parser.py").write_text("")
    with pytest.raises(ToolFailure, match=r"no file parsers\.py.*parser\.py"):
        workspace.read(workspace.resolve("parsers.py"))


def test_write_keeps_mode_link_and_leaves_no_other_file(workspace: Workspace, root: Path) -> None:
    file = root / "run.sh"
    file.write_bytes(b"old")
    file.chmod(0o750)
    (root / "alias").symlink_to("run.sh")
    workspace.write(workspace.resolve("alias"), b"new", replaces=b"old")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert (root / "alias").is_symlink()
    assert sorted(os.listdir(root)) == ["alias", "run.sh"]


def test_write_keeps_hard_links_together(workspace: Workspace, root: Path) -> None:
    (root / "a").write_bytes(b"old, and longer")
    os.link(root / "a", root / "b")
    workspace.write(workspace.resolve("a"), b"new", replaces=b"old, and longer")
    assert (root / "b").read_bytes() == b"new"
    assert (root / "a").samefile(root / "b")


def test_write_makes_folders_and_honours_the_umask(workspace: Workspace, root: Path) -> None:
    old = os.umask(0o027)
    try:
        workspace.write(workspace.resolve("x/y/z.txt"), b"new", replaces=None)
    finally:
        os.umask(old)
    assert (root / "x/y/z.txt").read_bytes() == b"new"
    assert stat.S_IMODE((root / "x/y/z.txt").stat().st_mode) == 0o640


def test_write_refuses_what_is_not_as_expected(workspace: Workspace, root: Path) -> None:
    file = root / "a"
    file.write_bytes(b"theirs")
    with pytest.raises(ToolFailure, match="appeared"):
        workspace.write(workspace.resolve("a"), b"mine", replaces=None)
    with pytest.raises(ToolFailure, match="changed"):
        workspace.write(workspace.resolve("a"), b"mine", replaces=b"other")
    with pytest.raises(ToolFailure, match="changed"):
        workspace.write(workspace.resolve("a"), b"mine", replaces=b"their")
    assert file.read_bytes() == b"theirs"


def test_write_refuses_a_read_only_file(workspace: Workspace, root: Path) -> None:
    (root / "a").write_bytes(b"old")
    (root / "a").chmod(0o444)
    with pytest.raises(ToolFailure, match="read-only"):
        workspace.write(workspace.resolve("a"), b"new", replaces=b"old")
    assert (root / "a").read_bytes() == b"old"


def test_failed_write_leaves_the_old_file(workspace: Workspace, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolFailure, match="No space left"):
        workspace.write(workspace.resolve("a"), b"new", replaces=b"old")
    with pytest.raises(ToolFailure, match="No space left"):
        workspace.write(workspace.resolve("b"), b"new", replaces=None)
    assert os.listdir(root) == ["a"]
    assert (root / "a").read_bytes() == b"old"


def test_entries_are_sorted_with_folders_first(workspace: Workspace, root: Path) -> None:
    (root / "b").write_bytes(b"12")
    (root / "z").mkdir()
    (root / "l").symlink_to("/nowhere")
    entries = [(e.name, e.folder, e.size, e.link) for e in workspace.entries(workspace.resolve("."))]
    assert entries == [("z", True, None, False), ("b", False, 2, False), ("l", False, None, True)]


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.vscode/tasks.json",
        ".bashrc",
        ".envrc",
        ".mcp.json",
        ".git",
        ".g\u200cit/config",
        ".npmrc",
        ".patchbay/config.toml",
        ".gitmodules",
    ],
)
def test_protected_for_writing(path: str) -> None:
    found = concern_of(path.split("/"), writing=True)
    assert found is not None and found[0] is Concern.PROTECTED


@pytest.mark.parametrize(
    "path",
    [".env", ".env.local", "prod.env", "id_rsa", ".ssh/config", "a/server.pem", "x.key", ".netrc", ".aws/credentials"],
)
def test_secret_for_reading(path: str) -> None:
    found = concern_of(path.split("/"), writing=False)
    assert found is not None and found[0] is Concern.SECRET


@pytest.mark.parametrize(
    "path",
    [".env.example", "id_rsa.pub", ".git/HEAD", ".gitignore", "environment.py", "keys.py", "src/token.py", "monkey"],
)
def test_ordinary_for_reading(path: str) -> None:
    assert concern_of(path.split("/"), writing=False) is None


@pytest.mark.parametrize("path", ["src/app.py", ".gitignore", "Makefile", ".github/workflows/ci.yml", "git/config"])
def test_ordinary_for_writing(path: str) -> None:
    assert concern_of(path.split("/"), writing=True) is None


def test_a_link_to_a_secret_is_a_secret(workspace: Workspace, root: Path) -> None:
    (root / ".env").write_text("K=1")
    (root / "notes.txt").symlink_to(".env")
    concern = workspace.resolve("notes.txt").read_concern
    assert concern is not None and concern[0] is Concern.SECRET
