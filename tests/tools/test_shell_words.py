"""Words as bash sees them; for made-up words, bash itself is asked."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.tools.shell_braces import braces_expanded
from patchbay.tools.shell_words import HoleKind, WordError, read_word


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("abc", "abc"),
        ("a'b c'd", "ab cd"),
        ('a"b c"d', "ab cd"),
        (r"r\m", "rm"),
        ("r''m", "rm"),
        (r"$'\x72\155'", "rm"),
        (r"$'a\tb'", "a\tb"),
        (r"$'\u0072m'", "rm"),
        ('"a\\"b"', 'a"b'),
        ('"a\\nb"', "a\\nb"),
        ("a\\\nb", "ab"),
        ("'$HOME'", "$HOME"),
        ("a$", "a$"),
        ('$"hi"', "hi"),
        ("''", ""),
    ],
)
def test_quotes_come_off(source: str, text: str) -> None:
    assert read_word(source).text == text


@pytest.mark.parametrize(
    ("source", "kind", "inside"),
    [
        ("$X", HoleKind.VARIABLE, "X"),
        ("${X}", HoleKind.VARIABLE, "X"),
        ("${X:-a}", HoleKind.VARIABLE, "X:-a"),
        ("${X@P}", HoleKind.EXPANSION, "X@P"),
        ("${!X}", HoleKind.EXPANSION, "!X"),
        ("$(ls $(pwd))", HoleKind.COMMAND, "ls $(pwd)"),
        ("$(echo ')')", HoleKind.COMMAND, "echo ')'"),
        ("`ls \\`pwd\\``", HoleKind.COMMAND, "ls `pwd`"),
        ("<(ls)", HoleKind.READ_FROM, "ls"),
        (">(ls)", HoleKind.WRITE_TO, "ls"),
        ("$((1+2))", HoleKind.ARITHMETIC, "1+2"),
        ("$[1+2]", HoleKind.ARITHMETIC, "1+2"),
    ],
)
def test_what_only_the_run_knows_is_a_hole(source: str, kind: HoleKind, inside: str) -> None:
    word = read_word(source)
    assert word.text is None
    assert [(hole.kind, hole.source) for hole in word.holes] == [(kind, inside)]


@pytest.mark.parametrize("source", ["'a", '"a', "$(a", "`a", "${a", "$((1)", "a b", "a;b", "$('"])
def test_what_is_no_single_word_is_an_error(source: str) -> None:
    with pytest.raises(WordError):
        read_word(source)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y", ["xay", "xby"]),
        ("{a,{b,c}}", ["a", "b", "c"]),
        ("{a,b}{1,2}", ["a1", "a2", "b1", "b2"]),
        ("{1..3}", ["1", "2", "3"]),
        ("{c..a}", ["c", "b", "a"]),
        ("{a}", ["{a}"]),
        ("'{a,b}'", ["{a,b}"]),
        ("{a\\,b}", ["{a,b}"]),
        ("{a,b", ["{a,b"]),
    ],
)
def test_braces(source: str, words: list[str]) -> None:
    assert [word.text for word in braces_expanded(read_word(source))] == words


def test_a_known_value_is_split_like_the_shell_splits_it() -> None:
    def filled(source: str, **values: str) -> list[str | None]:
        return [word.text for word in read_word(source).filled(values)]

    assert filled("$X", X="rm -rf /") == ["rm", "-rf", "/"]
    assert filled('"$X"', X="rm -rf /") == ["rm -rf /"]
    assert filled("a${X}b", X=" x ") == ["a", "x", "b"]
    assert filled("$X", X="rm,-rf", IFS=",") == ["rm", "-rf"]
    assert filled("$X", X="") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash to compare with")
@settings(max_examples=150)
@given(st.text(alphabet="ab \\\"'$,{}.1", min_size=1, max_size=8))
def test_bash_sees_the_same_words(source: str) -> None:
    try:
        words = braces_expanded(read_word(source))
    except WordError:
        return
    if any(word.text is None for word in words):
        return
    shown = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s\\0' {source}"],
        check=False,
        capture_output=True,
        text=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    if shown.returncode == 0 and not source.endswith("\\"):
        assert shown.stdout.split("\0")[:-1] == [word.text for word in words] or shown.stdout == "\0"
