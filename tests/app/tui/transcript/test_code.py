"""Highlighting line by line gives the text back, and the colours of multi-line constructs carry over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexer import RegexLexer
from pygments.lexers import find_lexer_class_for_filename

from patchbay.app.tui.transcript.code import (
    LONGEST_LINE,
    PLAIN_CODE,
    CodeState,
    Highlighter,
    highlighter,
    highlighter_for_path,
)

LANGUAGES = ["python", "js", "ts", "c", "rust", "go", "json", "yaml", "bash", "html", "css", "diff", "sql", "java", ""]


def highlight(language: str, source: str) -> list[list[tuple[str, str]]]:
    state, lines = CodeState(), []
    for line in source.split("\n"):
        spans, state = highlighter(language).line(line, state)
        lines.append([(text, look.role) for text, look in spans])
    return lines


def role(lines: list[list[tuple[str, str]]], word: str) -> str:
    return next(role for line in lines for text, role in line if word in text)


@given(st.sampled_from(LANGUAGES), st.lists(st.text(alphabet="ab1 \"'`/*#{}()<>=$\\:-@\t", max_size=30), max_size=6))
def test_the_text_is_never_changed(language: str, lines: list[str]) -> None:
    shown = ["".join(text for text, _ in line) for line in highlight(language, "\n".join(lines))]
    assert shown == [line.expandtabs(4) for line in "\n".join(lines).split("\n")]


def test_python_words_have_roles() -> None:
    lines = highlight("python", 'def area(x):\n    return "text", 12  # note')
    assert [role(lines, word) for word in ("def", "area", "text", "12", "note")] == [
        "code_keyword",
        "code_function",
        "code_string",
        "code_number",
        "code_comment",
    ]


def test_a_string_over_lines_stays_a_string() -> None:
    lines = highlight("python", 'x = """one\nreturn 2\n"""\ny = 3')
    assert role(lines, "return 2") == "code_string"
    assert role(lines, "3") == "code_number"


@pytest.mark.parametrize("language", ["c", "js", "ts", "java", "go", "rust", "css", "php"])
def test_a_block_comment_over_lines_stays_a_comment(language: str) -> None:
    source = "/* one\nreturn 2\n*/ x" if language != "php" else "<?php\n/* one\nreturn 2\n*/ $x;"
    assert role(highlight(language, source), "return 2") == "code_comment"


def test_a_comment_sign_in_a_string_opens_nothing() -> None:
    lines = highlight("js", 'const a = "src/*";\nreturn 2')
    assert role(lines, "return") == "code_keyword"


def test_unknown_languages_and_long_lines_are_plain() -> None:
    assert highlight("nosuchlanguage", "return 1") == [[("return 1", "text")]]
    assert highlight("python", "x = 1" + " " * LONGEST_LINE)[0][0][1] == "text"


def test_a_lexer_that_fails_costs_only_the_colours() -> None:
    class Broken(RegexLexer):
        name = "Broken"
        tokens = {"root": [("x", lambda lexer, match: 1 / 0)]}  # noqa: RUF012

    line, state = Highlighter(Broken()).line("x y", CodeState())
    assert [text for text, _ in line] == ["x y"]
    assert state == CodeState()


def test_the_language_can_come_from_the_file_name() -> None:
    line, _ = highlighter_for_path("a/b/module.py").line("import os", CodeState())
    assert line[0][1].role == "code_keyword"
    assert highlighter_for_path("README").line("import os", CodeState())[0][0][1].role == "text"


def test_a_file_name_is_looked_up_without_a_regular_expression_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pygments compiles nine hundred of them for the first name, which held up the first frame."""
    monkeypatch.setattr("pygments.lexers._fn_matches", lambda *_: pytest.fail("all patterns are compiled"))
    highlighter_for_path.cache_clear()
    assert highlighter_for_path("src/some.py") is not PLAIN_CODE
    assert highlighter_for_path("") is PLAIN_CODE


@pytest.mark.parametrize(
    "name",
    [
        "a.py",
        "a.c",
        "a.h",
        "x.html",
        "x.xml",
        "Makefile",
        "CMakeLists.txt",
        "a.ts",
        "a.m",
        "a.1",
        "a.s",
        "no",
        ".bashrc",
    ],
)
def test_a_file_name_finds_what_pygments_finds(name: str) -> None:
    expected = find_lexer_class_for_filename(name)
    found = highlighter_for_path(f"some/folder/{name}")
    assert (None if found is PLAIN_CODE else type(found._lexer)) is expected
