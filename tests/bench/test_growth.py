"""What reads the text of a model, a server or a file takes time in proportion to it, whatever the text is."""

from collections.abc import Callable
from functools import partial

import pytest

from patchbay.app.tui.diffing import diff_texts
from patchbay.providers.redact import redact
from patchbay.providers.sse import SseReader
from patchbay.tools.diffs import unified_diff
from patchbay.tools.failures import ToolFailure
from patchbay.tools.ignores import IgnoreFile
from patchbay.tools.patterns import PathPattern
from patchbay.tools.replacing import Replacement, replace_all
from patchbay.tools.safe_text import safe_text
from support.costs import check_ratio, multiple

TIMES = 4
MOST = 9.0
"""Four times the text: linear is about 4, quadratic 16, cubic 64."""

Work = Callable[[int], object]


def edit(text: str, old: str, new: str, *, everywhere: bool = False) -> object:
    try:
        return replace_all(text, [Replacement(old=old, new=new, everywhere=everywhere)])
    except ToolFailure as failure:
        return failure


def event_in_pieces(size: int) -> None:
    content = b"data: " + b"x" * size + b"\n\n"
    reader = SseReader()
    for at in range(0, len(content), 7):
        reader.feed(content[at : at + 7])


def typographic_line(count: int) -> object:
    there = "the quick “brown” fox jumps - over the lazy dog; " * count
    asked = there.replace("“", '"').replace("”", '"')[:-2]
    return edit(there + "\n", asked, asked.replace("fox", "wolf"))


def compared_on_screen(count: int) -> None:
    few, other = ("".join(f"{n**power % 11}\n" for n in range(count)) for power in (2, 3))
    diff_texts(few, other)
    many = "".join(f"{n}\n" for n in range(count * 4))
    diff_texts(many, many.replace("\n777\n", "\nseven\n"))


GROWING: dict[str, tuple[Work, int]] = {
    "an event in small pieces": (event_in_pieces, 60_000),
    "an edit everywhere": (lambda n: edit("some line\r\n" * n, "some", "any", everywhere=True), 3_000),
    "an edit that fits nowhere": (
        lambda n: edit("some line of words\n" * n + "x\n", "other line of words\nand more\n" * (n // 100), "y"),
        4_000,
    ),
    "an edit of equal lines, indented": (
        lambda n: edit("    foo()\n" * n, "foo()\n" * n, "bar()\nfoo()\n" * n),
        2_000,
    ),
    "an edit that fits everywhere": (lambda n: edit("    foo()\n" * n, "foo()\n" * 20, "bar()\n" * 20), 600),
    "an edit of a long typographic line": (typographic_line, 200),
    "texts with nothing in common": (
        lambda n: unified_diff("".join(f"{k}\n" for k in range(n)), "".join(f"x{k}\n" for k in range(n)), "f"),
        5_000,
    ),
    "texts compared on the screen": (compared_on_screen, 4_000),
}
GROWING |= {
    f"control characters {unit!r}": (lambda n, unit=unit: safe_text(unit * n), 20_000)
    for unit in ("\x1b", "\x1b]", "\x1b[", "\x9d", "\x9da", "\r", "\u200b", "\x1b[0;", "\x1bP\x1b")
}
GROWING |= {
    f"what looks like keys: {piece}": (lambda n, piece=piece: redact(piece * (n // len(piece))), 40_000)
    for piece in ("sk-", "eyJ-", "a", "://", "A_TOKEN", "Bearer ", "-----BEGIN A PRIVATE KEY-----", "eyJaaaaaaaaa.")
}


@pytest.mark.parametrize("name", GROWING)
def test_four_times_the_text_costs_about_four_times_as_much(name: str) -> None:
    work, size = GROWING[name]
    work(size)  # what it compiles and caches is there
    check_ratio(lambda: multiple(partial(work, size * TIMES), partial(work, size)), MOST, name)


PATHS = ("a/" * 60 + "a" * 250, "a" * 250)
DEEP = "/".join(["a" * 50] * 40)
PATTERNS: dict[str, tuple[Work, int]] = {
    "*a": (lambda n: [IgnoreFile("*a" * n + "b").says(path, folder=False) for path in PATHS], 10),
    "**/a/": (lambda n: [IgnoreFile("**/a/" * n + "b").says(path, folder=False) for path in PATHS], 10),
    "a*/ and *a": (
        lambda n: [IgnoreFile("a*/" * n + "**/" + "*a" * n + "b").says(path, folder=False) for path in PATHS],
        6,
    ),
    "**/**/": (lambda n: [IgnoreFile("**/**/" * n + "b").says(path, folder=False) for path in PATHS], 8),
    "a rule: *a": (lambda n: PathPattern("*a" * n).matches(DEEP), 8),
    "a rule: **/": (lambda n: PathPattern("**/" * n + "z").matches(DEEP), 8),
    "a rule: {a,b}": (lambda n: PathPattern("{a,b}" * n).matches(DEEP), 5),
    "a rule: [": (lambda n: PathPattern("[" * n).matches(DEEP), 25),
    "a rule: {": (lambda n: PathPattern("{" * n).matches(DEEP), 250),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_is_tried_in_every_way(name: str) -> None:
    """Four times the stars are four times the steps, or sixteen; every way to fit them would be millions."""
    work, size = PATTERNS[name]
    work(size)
    check_ratio(lambda: multiple(partial(work, size * TIMES), partial(work, size)), 24.0, name)
