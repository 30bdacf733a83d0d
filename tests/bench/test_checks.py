"""What finding a project's checks costs when its files are made to keep the reader busy: as much as plain files do."""

from functools import partial
from pathlib import Path

import pytest

from patchbay.app.checks import find_checks
from support.costs import check_ratio, seconds

SIZE = 200_000
MOST = 8.0
"""How much more CPU time a hostile file may cost than a harmless one of the same size in the same place. Measured: 0.1
to 4; what this holds off took hundreds of times as long."""

PLAIN = {
    "Makefile": "target: prerequisite\n\tcommand --of the recipe\n\n",
    "justfile": "recipe: other\n    command --of the recipe\n\n",
    "package.json": '{"scripts": {"build": "x"}, "files": [' + '"a/b/c.ts", ' * 100 + '"z"]} // not JSON\n',
    "setup.cfg": "[section]\nkey = value\n\n",
    "mypy.ini": "[mypy]\nkey = value\n\n",
    "tests/test_a.py": "import unittest\n\ndef test_a(): pass\n",
    "requirements.txt": "package==1.0\n",
    "pyproject.toml": "# a comment of some length, as there are many\n",
}
LINES = {
    "empty lines": "\n",
    "blanks": " ",
    "tabs": "a\t",
    "one long name": "a",
    "words": "a b ",
    "colons": ":",
    "names and colons": "a::",
    "open comments": "/*",
    "comments": "//",
    "open strings": '"',
    "escaped quotes": '\\"',
    "brackets": "[",
    "braces": '{"a":',
    "tables": "[a]\n",
    "dashes": "a-",
    "names": "pytest-",
    "settings": "files\n",
    "imports": "import \n",
    "carriage returns": "\r",
}


def repeated(text: str) -> str:
    return (text * (SIZE // len(text) + 1))[: SIZE - 10]


def cost(folder: Path, name: str, content: str) -> float:
    """CPU time of finding the checks of a folder that holds just this file, the best of two."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return seconds(lambda: find_checks(folder), tries=2)


@pytest.mark.parametrize("name", PLAIN)
def test_a_hostile_file_costs_about_what_a_plain_one_does(tmp_path: Path, name: str) -> None:
    find_checks(tmp_path)  # what it imports is loaded
    plain = max(cost(tmp_path / "plain", name, repeated(PLAIN[name])), 0.004)

    def times_plain(what: str, content: str) -> float:
        return cost(tmp_path / what, name, content) / plain

    for what, line in LINES.items():
        content = ("a" if what != "brackets" else "") + repeated(line)
        check_ratio(partial(times_plain, what, content), MOST, f"{what} in {name}")
