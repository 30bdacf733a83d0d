import json
import os
import stat
from pathlib import Path

import pytest

from patchbay.app.folder_config import MAX_FILE_BYTES, PROJECT_SETTINGS, look_at, trust_root
from patchbay.app.trust import Change, FolderTrust, Standing, trust_file, trust_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def trust(home: Path, tmp_path: Path):
    def of(folder: Path, **options) -> FolderTrust:
        return trust_of(folder, home=home, state_folder=tmp_path / "state", **options)

    return of


def test_a_folder_that_brings_nothing_is_not_asked_about(repo, trust):
    it = trust(repo)
    assert (it.standing, it.asks) == (Standing.PLAIN, False)


@pytest.mark.parametrize("name", ["AGENTS.md", "CLAUDE.md", ".mcp.json", ".patchbay/config.toml", ".agents/x/y"])
def test_what_steers_is_asked_about_until_it_is_trusted(repo, trust, name):
    file = repo / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a")
    first = trust(repo)
    assert (first.standing, first.asks) == (Standing.UNTRUSTED, True)
    first.trust(always=True)
    assert first.standing is Standing.TRUSTED
    assert (trust(repo).standing, trust(repo).asks) == (Standing.TRUSTED, False)
    file.write_text("b")
    again = trust(repo)
    assert (again.standing, again.asks, again.changes) == (Standing.UNTRUSTED, True, ((name, Change.CHANGED),))
    file.unlink()
    assert trust(repo).changes == ((name, Change.GONE),)


def test_a_file_that_appears_later_is_asked_about(repo, trust):
    trust(repo).trust(always=True)
    assert trust(repo).standing is Standing.TRUSTED
    (repo / "AGENTS.md").write_text("x")
    assert trust(repo).changes == (("AGENTS.md", Change.NEW),)
    assert trust(repo).asks


def test_this_session_only_is_forgotten_and_no_is_kept_for_this_configuration(repo, trust):
    (repo / "AGENTS.md").write_text("x")
    it = trust(repo)
    it.trust(always=False)
    assert it.standing is Standing.SESSION
    assert trust(repo).asks
    trust(repo).refuse()
    assert (trust(repo).standing, trust(repo).asks) == (Standing.UNTRUSTED, False)
    (repo / "AGENTS.md").write_text("y")
    assert trust(repo).asks


def test_a_folder_of_a_repository_shares_its_trust_and_parents_count(repo, trust):
    (repo / "AGENTS.md").write_text("x")
    below = repo / "src/deep"
    below.mkdir(parents=True)
    trust(repo).trust(always=True)
    assert trust(below).standing is Standing.TRUSTED
    (below / "AGENTS.md").write_text("y")
    assert trust(below).changes == (("src/deep/AGENTS.md", Change.NEW),)
    assert trust(repo).standing is Standing.TRUSTED
    trust(below).trust(always=True)
    assert [trust(each).standing for each in (repo, below)] == [Standing.TRUSTED] * 2
    (repo / "AGENTS.md").write_text("z")
    assert trust(below).asks


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_repository_inside_another_is_trusted_on_its_own(repo, trust, kind):
    trust(repo).trust(always=True)
    nested = repo / "vendor"
    nested.mkdir()
    (nested / "AGENTS.md").write_text("x")
    git = nested / ".git"
    git.mkdir() if kind == "folder" else git.write_text("gitdir: ../.git\n")
    assert trust(nested).config.root == nested
    assert trust(nested).asks


def test_a_folder_swapped_by_a_link_is_another_folder(repo, trust, tmp_path):
    (repo / "AGENTS.md").write_text("x")
    trust(repo).trust(always=True)
    evil = tmp_path / "evil"
    repo.rename(tmp_path / "away")
    (evil / ".git").mkdir(parents=True)
    (evil / "AGENTS.md").write_text("x")
    repo.symlink_to(evil)
    assert (trust(repo).config.root, trust(repo).asks) == (evil, True)


def test_home_and_what_is_above_it_cannot_be_kept_and_is_no_repository_of_others(home, trust):
    (home / ".git").mkdir()
    project = home / "project"
    project.mkdir()
    assert trust_root(project, home) == project
    (home / "AGENTS.md").write_text("x")
    it = trust(home)
    assert (it.wide, it.can_be_kept, it.asks) == (True, False, True)
    it.trust(always=True)
    assert it.standing is Standing.SESSION
    assert trust(home).asks
    assert trust(Path("/")).wide


def test_runs_for_scripts_follow_the_option_alone(repo, trust):
    (repo / "AGENTS.md").write_text("x")
    trust(repo).trust(always=True)
    assert trust(repo, person=False).standing is Standing.UNTRUSTED
    assert not trust(repo, person=False).asks
    assert trust(repo, person=False, once=True).standing is Standing.SESSION


def test_answers_are_private_and_a_file_that_is_not_ours_trusts_nothing(repo, trust, tmp_path):
    (repo / "AGENTS.md").write_text("x")
    trust(repo).trust(always=True)
    file = tmp_path / "state/trust.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    good = file.read_text()
    for text in ("", "{", "[]", '{"folders": 3}', '{"folders": {"/": {"trusted": 1}}}', "[" * 100_000, "\x00"):
        file.write_text(text)
        assert trust(repo).standing is Standing.UNTRUSTED
    file.write_text(json.dumps(json.loads(good) | {"unknown": 1}))
    assert trust(repo).standing is Standing.TRUSTED
    file.chmod(0o666)
    assert trust(repo).standing is Standing.UNTRUSTED
    file.unlink()
    os.mkfifo(file)
    assert trust(repo).standing is Standing.UNTRUSTED
    assert trust_file(tmp_path / "nowhere").all() == {}


def test_what_is_never_read_says_why(repo, home, tmp_path):
    os.mkfifo(repo / "AGENTS.md")
    (repo / "CLAUDE.md").symlink_to("/dev/zero")
    (repo / ".mcp.json").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (repo / ".patchbay").symlink_to(tmp_path)
    problems = {item.name: item.problem for item in look_at(repo, home).items}
    assert problems == {
        "AGENTS.md": "is no regular file",
        "CLAUDE.md": "is a link out of the folder, to /dev/zero",
        ".mcp.json": f"is larger than {MAX_FILE_BYTES:,} bytes",
        ".patchbay": f"is a link out of the folder, to {tmp_path}",
    }
    assert look_at(repo, home).content(PROJECT_SETTINGS) is None


def test_a_link_within_the_folder_is_read_and_its_target_counts(repo, home):
    (repo / "AGENTS.md").write_text("x")
    (repo / "CLAUDE.md").symlink_to("AGENTS.md")
    config = look_at(repo, home)
    assert config.content("CLAUDE.md") == b"x"
    assert config.digests()["CLAUDE.md"] != config.digests()["AGENTS.md"]
