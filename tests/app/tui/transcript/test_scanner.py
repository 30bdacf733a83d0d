"""The block structure agrees with an independent CommonMark parser on nested documents."""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from patchbay.app.tui.transcript.leaves import Kind, Leaf
from patchbay.app.tui.transcript.palette import UNICODE_SIGNS
from patchbay.app.tui.transcript.scanner import Scanner
from patchbay.app.tui.transcript.table import split_cells

Flat: TypeAlias = list[tuple[str, int, int, str]]
"""Leaves as (kind, quotes around, items around, text)."""


def leaves(source: str) -> list[Leaf]:
    scanner = Scanner(UNICODE_SIGNS)
    for line in source.split("\n"):
        scanner.feed_line(line)
    scanner.finish()
    return scanner.leaves


def flat(source: str) -> Flat:
    result: Flat = []
    for leaf in leaves(source):
        quotes = sum(container.quote for container in leaf.containers)
        text = "\n".join(leaf.lines)
        if leaf.kind is Kind.TABLE:
            text = "|".join(cell for index, line in enumerate(leaf.lines) if index != 1 for cell in split_cells(line))
        name = f"{leaf.kind.name.lower()}{leaf.level or ''}"
        result.append((name, quotes, len(leaf.containers) - quotes, text.rstrip("\n|")))
    return result


def reference(source: str) -> Flat:
    result: Flat = []
    quotes = items = 0
    name, cells = "", None
    for token in MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference").parse(source):
        match token.type:
            case "blockquote_open" | "blockquote_close":
                quotes += token.nesting
            case "list_item_open" | "list_item_close":
                items += token.nesting
            case "paragraph_open":
                name = "paragraph"
            case "heading_open":
                name = f"heading{token.tag[1]}"
            case "table_open":
                cells = []
            case "table_close":
                result.append(("table", quotes, items, "|".join(cells or []).rstrip("|")))
                cells = None
            case "inline" if cells is not None:
                cells.append(token.content)
            case "inline":
                result.append((name, quotes, items, token.content))
            case "fence" | "code_block":
                result.append(("code", quotes, items, token.content.rstrip("\n")))
            case "hr":
                result.append(("rule", quotes, items, ""))
            case _:
                pass
    return result


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "`x`", "**y**", "3", "(z)"]), min_size=1, max_size=6).map(
    " ".join
)
PARAGRAPH = st.lists(WORDS.map(lambda text: "t " + text), min_size=1, max_size=3)
HEADING = st.tuples(st.integers(1, 6), WORDS).map(lambda pair: ["#" * pair[0] + " " + pair[1]])
FENCE = st.tuples(
    st.sampled_from(["```", "~~~", "````"]), st.lists(st.sampled_from(["x = 1", "  y", "", "- no", "# no"]))
).map(lambda pair: [pair[0] + "py", *pair[1], pair[0]])
RULE = st.sampled_from([["***"], ["* * *"], ["___"]])
TABLE = st.lists(st.tuples(WORDS, WORDS), max_size=3).map(
    lambda rows: ["| h | k |", "|---|:-:|", *(f"| {one} | {two} |" for one, two in rows)]
)


def _quoted(block: list[str]) -> list[str]:
    return [f"> {line}".rstrip() for line in block]


def _listed(items: list[list[str]], marker: str, *, loose: bool) -> list[str]:
    lines: list[str] = []
    for number, item in enumerate(items, 1):
        sign = f"{number}." if marker == "1." else marker
        room = " " * (len(sign) + 1)
        if lines and loose:
            lines.append("")
        lines += [f"{sign} {item[0]}", *(room + line if line else "" for line in item[1:])]
    return lines


def _nested(blocks: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    body = st.lists(blocks, min_size=1, max_size=3).map(_joined)
    items = st.lists(body, min_size=1, max_size=3)
    lists = st.tuples(items, st.sampled_from(["-", "*", "1."]), st.booleans())
    return body.map(_quoted) | lists.map(lambda made: _listed(made[0], made[1], loose=made[2]))


def _joined(blocks: list[list[str]]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += ["", *block] if lines else block
    return lines


DOCUMENT = st.recursive(PARAGRAPH | HEADING | FENCE | RULE | TABLE, _nested, max_leaves=8)


@given(st.lists(DOCUMENT, min_size=1, max_size=4).map(_joined).map("\n".join))
def test_nested_documents_have_the_structure_commonmark_gives_them(source: str) -> None:
    assert flat(source) == reference(source)


@pytest.mark.parametrize(
    "source",
    [
        "text\n- item\nlazy",
        "text\n2. no list",
        "text\n1. a list",
        "> quote\nlazy\n\nafter",
        "> - a\n>   b\n> - c",
        "- a\n  - b\n    - c\n- d",
        "1. a\n   ```sh\n   x\n     y\n   ```\n2. b",
        "para\n***\npara\n---\nafter",
        "# a #\n## b\\#\n#no",
        "```\nopen\n> still\n- still",
        "> ```\n> in quote\nout",
        "head | er\n--- | :-:\none | two\nthree\n\nafter",
        "intro\n| a | b |\n|---|---|\n| 1 | 2 |\n# h",
        "    code\n    more",
        "- a\n\n      code in item",
        "- a\n\n  b\n\nc",
        "10) ten\n11) eleven",
        "* * *",
        "- - nested",
        "text\n===",
    ],
)
def test_examples_agree_with_commonmark(source: str) -> None:
    assert flat(source) == reference(source)


def test_numbers_are_the_written_ones_or_the_next() -> None:
    def markers(source: str) -> list[str]:
        return [leaf.containers[0].marker for leaf in leaves(source)]

    assert markers("1. a\n1. b\n1. c") == ["1. ", "2. ", "3. "]
    assert markers("3. a\n7. b") == ["3. ", "7. "]


def test_task_items_show_their_state() -> None:
    found = leaves("- [ ] open\n- [x] done")
    assert [leaf.first[0][0] for leaf in found] == [f"{UNICODE_SIGNS.todo} ", f"{UNICODE_SIGNS.ok} "]
    assert [leaf.lines for leaf in found] == [["open"], ["done"]]


def test_an_empty_item_still_shows_its_bullet() -> None:
    assert [leaf.first[0][0] for leaf in leaves("-\n- b")] == ["• ", "• "]


@pytest.mark.parametrize("unclear", ["-", "1", "1.", "#", "``", "|", "> ", "**", "=", "- [", "~~", "  *"])
def test_a_growing_line_that_may_become_anything_is_not_shown(unclear: str) -> None:
    scanner = Scanner(UNICODE_SIGNS)
    assert scanner.look_at(unclear) == (False, None)


def test_looking_changes_nothing() -> None:
    scanner = Scanner(UNICODE_SIGNS)
    scanner.feed_line("- item")
    before = [list(leaf.lines) for leaf in scanner.leaves]
    for line in ("more", "- next", "> quote", "# head", "```"):
        scanner.look_at(line)
    assert [list(leaf.lines) for leaf in scanner.leaves] == before
    scanner.feed_line("goes on")
    assert len(scanner.leaves) == len(before), "the leaf that was open still takes lines"
