"""Patterns fit what they say, in bounded time."""

import pytest

from patchbay.tools.patterns import PathPattern


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.py", "a.py"),
        ("src/*.py", "src/a.py"),
        ("src/**", "src/a/b.py"),
        ("src/**/*.py", "src/a.py"),
        ("src/**/*.py", "src/x/y/a.py"),
        ("**/a.py", "a.py"),
        ("**", "a/b"),
        ("./a", "a"),
        ("a/**/b/**/c", "a/x/b/c"),
        ("*.{ts,tsx}", "a.tsx"),
        ("{a,b}/{c,d}", "b/d"),
        ("[ab]?.txt", "bx.txt"),
        ("x{1}", "x{1}"),
    ],
)
def test_fits(pattern: str, path: str) -> None:
    assert PathPattern(pattern).matches(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.py", "src/a.py"),
        ("src/*", "src/a/b"),
        ("src/**", "source/a"),
        ("src/**", "srcx/a"),
        ("a/**/b", "a/c"),
        ("*.{ts,tsx}", "a.js"),
        ("a", "a/b"),
        ("a/b", "b"),
    ],
)
def test_does_not_fit(pattern: str, path: str) -> None:
    assert not PathPattern(pattern).matches(path)


def test_a_bare_name_pattern_is_tried_on_the_last_name() -> None:
    assert PathPattern("*.py").matches_name_or_path("src/a.py")
    assert not PathPattern("./*.py").matches_name_or_path("src/a.py")
