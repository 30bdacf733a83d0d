"""Ignore patterns, compared with git itself."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.tools.ignores import IgnoreFile, ignored

PATHS = [
    *("a", "a.log", "b/a.log", "build/x", "b/build/y", "b/c/d.txt", "c [x]"),
    *("docs/a.md", "docs/b/a.md", "x#", "!y", "s "),
]
PATTERNS = [
    *("*.log", "build/", "/build/", "b/*", "!b/c", "**/a.log", "docs/**", "docs/**/a.md", "a?", "[ab]", "[!a]", "# no"),
    *("\\#x", "x\\#", "\\!y", "s\\ ", "s  ", "c \\[x\\]", "b/**/d.txt", "/a", "**", "*", "!*.log", "[[:alpha:]]", "["),
    *("!docs/", "/*", "!/docs", "[a-c]/", "*/a.log", "b/c/", "d.txt", "a\\"),
    *("*a*l*g", "**/b/**/*.t*t", "*/*/*", "b*/**"),
]


@given(st.lists(st.sampled_from(PATTERNS) | st.text(max_size=8), max_size=12), st.text(min_size=1, max_size=12))
def test_nothing_raises(patterns: list[str], path: str) -> None:
    assert ignored(path, [("", IgnoreFile("\n".join(patterns)))], folder=False) in (True, False)


def _ours(path: str, files: list[tuple[str, IgnoreFile]]) -> bool:
    parts = path.split("/")
    above = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return any(ignored(each, files, folder=True) for each in above) or ignored(path, files, folder=False)


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git, which is not installed")
@pytest.mark.parametrize("first", range(len(PATTERNS)))
def test_the_same_answers_as_git(first: int, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    for second in (None, *PATTERNS[::5]):
        text = "\n".join([PATTERNS[first], *([second] if second else [])]) + "\n"
        (tmp_path / ".gitignore").write_text(text)
        asked = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin", "-z"],
            cwd=tmp_path,
            input="\0".join(PATHS).encode() + b"\0",
            capture_output=True,
            check=False,
        )
        theirs = {path for path in asked.stdout.decode().split("\0") if path}
        ours = {path for path in PATHS if _ours(path, [("", IgnoreFile(text))])}
        assert ours == theirs, text


def test_inner_files_decide_before_outer_ones() -> None:
    files = [("", IgnoreFile("*.log\n")), ("keep/", IgnoreFile("!*.log\n"))]
    assert ignored("a.log", files, folder=False) and not ignored("keep/a.log", files, folder=False)


def _fits(glob: str, path: str) -> bool:
    """The same rule, spelled out slowly: ``*`` stands for part of a name, ``**/`` for whole names."""
    if not glob:
        return not path
    if glob.startswith("**/"):
        name, slash, rest = path.partition("/")
        return _fits(glob[3:], path) or bool(name and slash and _fits(glob, rest))
    if glob[0] == "*":
        return _fits(glob[1:], path) or (path[:1] not in ("", "/") and _fits(glob, path[1:]))
    return bool(path) and (path[0] == glob[0] or (glob[0] == "?" and path[0] != "/")) and _fits(glob[1:], path[1:])


NAMES = st.text("ab", min_size=1, max_size=4)
GLOB_NAMES = st.just("**") | st.text("ab?", max_size=2).flatmap(
    lambda start: st.lists(st.text("ab?", min_size=1, max_size=2), max_size=3).map(
        lambda parts: "*".join([start, *parts]) or "a"
    )
)


@settings(max_examples=400)
@given(
    st.lists(GLOB_NAMES, min_size=1, max_size=5).filter(lambda names: names[-1] != "**"),
    st.lists(NAMES, min_size=1, max_size=6),
)
def test_stars_fit_what_they_fit_when_every_way_is_tried(glob: list[str], path: list[str]) -> None:
    pattern, whole = "/".join(["", *glob]), "/".join(path)
    says = IgnoreFile(pattern).says(whole, folder=False)
    assert (says is True) == _fits("/".join(glob), whole), pattern
