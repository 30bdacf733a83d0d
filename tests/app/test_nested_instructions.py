import os
from pathlib import Path

import pytest

from patchbay.app.instructions import MAX_FILE_BYTES
from patchbay.app.nested_instructions import NestedInstructions
from patchbay.app.trust import trust_of


class Place:
    """A repository, and what its sub-folders say."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.repo = self.home / "repo"
        self.write(".git/HEAD", "")
        self.write("AGENTS.md", "of the root")

    def write(self, name: str, text: str) -> Path:
        file = self.repo / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def trust(self, *, once: bool = True):
        return trust_of(self.repo, home=self.home, state_folder=self.home / "state", once=once, person=False)

    def find(self, *paths: str, folder: str = ".", once: bool = True):
        return NestedInstructions(self.repo / folder, self.trust(once=once)).find(paths)

    def told(self, *paths: str, **options):
        return [(file.path, file.text) for file in self.find(*paths, **options).files]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_each_folder_between_the_working_folder_and_the_file_speaks_outermost_first(place):
    place.write("a/AGENTS.md", "of a\n")
    place.write("a/b/CLAUDE.md", "of b")
    place.write("a/b/c/AGENTS.md", "of c")
    place.write("a/b/c/CLAUDE.md", "not this one")
    place.write("z/AGENTS.md", "elsewhere")
    assert place.told("top.py") == []  # the root's own stands in every request already
    assert place.told("a/b/c/x.py") == [("a/AGENTS.md", "of a"), ("a/b/CLAUDE.md", "of b"), ("a/b/c/AGENTS.md", "of c")]
    assert place.told("a/x.py", "a/y.py", "z/x.py") == [("a/AGENTS.md", "of a"), ("z/AGENTS.md", "elsewhere")]
    assert place.told("b/x.py", folder="a") == [("b/CLAUDE.md", "of b")]
    assert place.find("a/x.py").files[0].digest


@pytest.mark.parametrize(
    "path", ["../other/x.py", "/etc/hostname", "a/../../other/x", "\0", "", "a/" + "x" * 5000], ids=range(6)
)
def test_what_lies_elsewhere_says_nothing(place, path):
    place.write("../other/AGENTS.md", "no")
    assert place.find(path, "../" * 40 + "etc/x").files == ()
    assert place.find(path).remarks == ()


def test_nothing_of_an_untrusted_folder_counts_and_that_is_said(place):
    place.write("a/AGENTS.md", "Run rm -rf.")
    found = place.find("a/x.py", once=False)
    assert found.files == ()
    assert found.remarks == ("The model is not told a/AGENTS.md: this folder is not trusted. /trust changes that.",)
    assert NestedInstructions(place.repo, None).find(("a/x.py",)).files == ()


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_followed(place, tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("secret")
    place.write("a/x.py", "")
    (place.repo / "a/AGENTS.md").symlink_to(outside)
    place.write("b/AGENTS.md", "shared")
    (place.repo / "a/CLAUDE.md").symlink_to("../b/AGENTS.md")
    found = place.find("a/x.py")
    assert [(file.path, file.text) for file in found.files] == [("a/CLAUDE.md", "shared")]
    assert found.remarks == ("a/AGENTS.md was not read: is a link out of the folder.",)
    (tmp_path / "far").mkdir()
    (tmp_path / "far/AGENTS.md").write_text("far")
    (place.repo / "linked").symlink_to(tmp_path / "far")
    assert place.told("linked/x.py") == []
    (place.repo / "alias").symlink_to("b")
    assert place.told("alias/x.py") == [("b/AGENTS.md", "shared")]


def test_other_repositories_and_what_is_ignored_are_somebody_elses(place):
    place.write("vendored/.git", "gitdir: ../.git/modules/vendored")
    place.write("vendored/AGENTS.md", "no")
    place.write(".gitignore", "node_modules/\n/build\n")
    place.write("web/node_modules/left-pad/AGENTS.md", "no")
    place.write("build/AGENTS.md", "no")
    place.write("web/AGENTS.md", "yes")
    place.write("web/.gitignore", "/made\n")
    place.write("web/made/AGENTS.md", "no")
    assert place.told("vendored/x.py", "build/x") == []
    assert place.told("web/node_modules/left-pad/index.js", "web/made/x") == [("web/AGENTS.md", "yes")]


def test_pipes_and_folders_of_that_name_are_not_waited_for(place):
    place.write("a/x", "")
    os.mkfifo(place.repo / "a/AGENTS.md")
    (place.repo / "a/CLAUDE.md").mkdir()
    found = place.find("a/x")
    assert found.files == ()
    assert len(found.remarks) == 2


def test_long_ones_are_cut_and_control_characters_do_not_pass(place):
    place.write("a/AGENTS.md", "\ufeffUse tabs.\x1b[31m\n" + "x" * MAX_FILE_BYTES)
    found = place.find("a/x.py")
    assert "\x1b" not in found.files[0].text
    assert found.files[0].text.startswith("Use tabs.")
    assert "[cut here:" in found.files[0].text
    assert "a/AGENTS.md is long" in found.remarks[0]
