"""Command lines for the gate: lists by what must become of them, and made-up ones, the same for the same seed."""

import random
from pathlib import Path


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FOLDER = Path(__file__).parent.parent / "tools" / "shell_lines"
_NAMES = _words(
    "ls cat head tail wc grep rg find sed awk sort uniq cut tr diff git jq echo printf test [ [[ stat"
    " file du tree date env xargs timeout nice bash sh command time cd rm cp tee touch mv eval source read"
    " xxd base64 seq basename realpath tar"
)
_ARGUMENTS = _words(
    "-l -n -r -la -o -i -e -f -c -exec -delete -name -print -p -w --output=out --help --version -- - . .."
    " a.txt src *.txt sub/* .env ../x /etc/passwd ~ $HOME $X ${X} $(ls) `pwd` <(ls) 'a b' \"a $X\" s/a/b/"
    " 1p 'w out' '{print $1}' status log show diff HEAD --stat branch new {} ; + \\; out {a,b} $'\\x2d'"
    " a=b 1 2 5 |tee >out 2>&1 >/dev/null <a.txt <<<x && || & |"
)
_OPERATORS = (" | ", " && ", " || ", "; ", " & ", "\n", " ;; ", " |& ")
_WRAPS = (
    "$({})",
    "`{}`",
    "({})",
    "{{ {}; }}",
    "! {}",
    "if {}; then ls; fi",
    "for i in a b; do {}; done",
    "bash -c '{}'",
)
_WRAPS += (
    "while {}; do break; done",
    "timeout 2 {}",
    "env A=1 {}",
    'echo "$({})"',
    "cat <({})",
    "f() {{ {}; }}; f",
    "X=1 {}",
)
_SIGNS = " \t\n;&|<>()$`\\\"'*?[]#~=%!{}-/.,:@^+0a\u00e9"


def lines(name: str) -> list[str]:
    """One of the lists ``reads``, ``asks`` and ``loud``; a line end within a line is written as ``␤``."""
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return [line.replace("␤", "\n") for line in text.splitlines()]


class LineMaker:
    """Makes lines up: from a grammar, and by damaging lines of the lists."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._reads = lines("reads")
        self._known = [*self._reads, *lines("asks")]

    def line(self) -> str:
        """The next line."""
        match self._chance.randrange(4):
            case 0:
                return self._grammatical(2)
            case 1:
                return self._damaged(self._chance.choice(self._reads if self._chance.random() < 0.5 else self._known))
            case 2:
                pool = self._reads if self._chance.random() < 0.5 else self._known
                first, second = self._chance.choice(pool), self._chance.choice(pool)
                return first + self._chance.choice(_OPERATORS) + second
            case _:
                return self._damaged(self._grammatical(1))

    def _command(self) -> str:
        count = self._chance.randrange(5)
        return " ".join([self._chance.choice(_NAMES), *(self._chance.choice(_ARGUMENTS) for _ in range(count))])

    def _grammatical(self, depth: int) -> str:
        made = self._command()
        for _ in range(self._chance.randrange(3)):
            made += self._chance.choice(_OPERATORS) + self._command()
        if depth and self._chance.random() < 0.4:
            made = self._chance.choice(_WRAPS).format(self._grammatical(depth - 1))
        return made

    def _damaged(self, line: str) -> str:
        signs = list(line)
        for _ in range(self._chance.randrange(1, 4)):
            at = self._chance.randrange(len(signs) + 1)
            match self._chance.randrange(3):
                case 0:
                    signs.insert(at, self._chance.choice(_SIGNS))
                case 1 if at < len(signs):
                    del signs[at]
                case _:
                    signs[at : at + 1] = self._chance.choice(_SIGNS)
        return "".join(signs)
