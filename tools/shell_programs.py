"""Small languages on the command line, read far enough to prove that a program in them only prints.

``sed`` scripts (POSIX and GNU), ``awk`` programs, ``find`` expressions. What is not understood is not proven.
"""

import re
from collections.abc import Sequence

from .shell_commands import names_in
from .shell_words import Word

_SED_ADDRESS = re.compile(r"\s*(?:\d+(?:~\d+)?|\$|[+~]\d+)?")
_SED_PLAIN = re.compile(r"[pPdDnNghGHx=]")
_SED_FLAGS = re.compile(r"[gpiImM0-9]*")
_AWK_UNPROVEN = re.compile(r"system|getline|ENVIRON|ARGV|ARGC|PROCINFO|extension|@")
_AWK_PIPE = re.compile(r"(?<!\|)\|(?!\|)")
_AWK_LITERALS = re.compile(r'"(?:[^"\\]|\\.)*"')

FIND_FLAGS = names_in(
    "-H -L -P -depth -d -mount -xdev -noleaf -ignore_readdir_race -noignore_readdir_race -warn -nowarn"
    " -daystart -follow -empty -executable -readable -writable -false -true -nouser -nogroup -print -print0"
    " -ls -prune -quit -a -o -and -or -not ! ( ) , -E -X -x -s"
)
FIND_VALUES = names_in(
    "-maxdepth -mindepth -regextype -amin -atime -cmin -ctime -mmin -mtime -fstype -gid -group -ilname"
    " -iname -inum -ipath -iregex -iwholename -links -lname -name -path -perm -regex -size -type -uid -used"
    " -user -wholename -xtype -printf -newermt -newerat -newerct"
)
FIND_PATHS = frozenset({"-newer", "-anewer", "-cnewer", "-samefile", "-neweraa", "-newermm"})


def find_reads(arguments: Sequence[Word]) -> tuple[str, list[Word]]:
    """Why a ``find`` may do more than print, and the words that name files."""
    roots: list[Word] = []
    waiting = list(arguments)
    in_expression = False
    while waiting:
        word = waiting.pop(0)
        text = word.text
        if text is None or (word.glob and in_expression):
            return "has an argument that is not known before it runs", []
        if not in_expression and not text.startswith("-") and text not in ("!", "(", ")", ","):
            if text.startswith(("*", "?", "[")) and word.glob:
                return "starts from names that may be options", []
            roots.append(word)
            continue
        in_expression = in_expression or text not in ("-H", "-L", "-P")
        if text in FIND_FLAGS:
            continue
        if text not in FIND_VALUES | FIND_PATHS:
            return f"has {text[:40]}, which is not known to be harmless", []
        if not waiting:
            return f"gives {text} no value", []
        value = waiting.pop(0)
        if value.text is None or value.glob:
            return f"gives {text} a value that is not known before it runs", []
        if text in FIND_PATHS:
            roots.append(value)
    return "", roots


def sed_prints(script: str) -> bool:
    """Whether a sed script does nothing but print and edit the text that passes through."""
    at = 0
    while at < len(script):
        at = _sed_command(script, at)
        if at < 0:
            return False
    return True


def _sed_command(script: str, at: int) -> int:
    """The position after the command at ``at``; -1 when it is not known to be harmless."""
    at = _skip_sed_address(script, at)
    if at < 0:
        return -1
    while at < len(script) and script[at] in " \t!":
        at += 1
    sign = script[at : at + 1]
    at += 1
    match sign:
        case "" | ";" | "\n" | "{" | "}":
            return at
        case "#":
            end = script.find("\n", at)
            return len(script) if end < 0 else end
        case "s":
            end = _delimited(script, at, 2)
            flags = _SED_FLAGS.match(script, end) if end > 0 else None
            return _sed_end(script, flags.end()) if flags else -1
        case "y":
            end = _delimited(script, at, 2)
            return _sed_end(script, end) if end > 0 else -1
        case "q" | "Q" | "l" | "L":
            number = re.compile(r"\s*\d*").match(script, at)
            return _sed_end(script, number.end() if number else at)
        case "b" | "t" | "T" | ":":
            label = re.compile(r"\s*[\w.-]*").match(script, at)
            return _sed_end(script, label.end() if label else at)
        case "a" | "i" | "c":
            end = re.compile(r"(?:[^\\\n]|\\.)*", re.DOTALL).match(script, at)
            return end.end() if end else -1
        case _ if _SED_PLAIN.fullmatch(sign):
            return _sed_end(script, at)
        case _:
            return -1


def _sed_end(script: str, at: int) -> int:
    """After a command only blanks and a separator may follow."""
    while at < len(script) and script[at] in " \t":
        at += 1
    if at >= len(script) or script[at] in ";\n}#":
        return at
    return -1


def _skip_sed_address(script: str, at: int) -> int:
    for _ in range(2):
        while at < len(script) and script[at] in " \t;\n":
            at += 1
        if script[at : at + 1] == "/" or script[at : at + 1] == "\\":
            start = at + (1 if script[at] == "\\" else 0)
            at = _delimited(script, start, 1)
            if at < 0:
                return -1
            while at < len(script) and script[at] in "IM":
                at += 1
        elif found := _SED_ADDRESS.match(script, at):
            at = found.end()
        while at < len(script) and script[at] in " \t":
            at += 1
        if script[at : at + 1] != ",":
            return at
        at += 1
    return at


def _delimited(script: str, at: int, count: int) -> int:
    """The position after ``count`` parts closed by the sign at ``at``; -1 when one is open."""
    if at >= len(script):
        return -1
    closing = script[at]
    if closing in "\\\n":
        return -1
    at += 1
    while at < len(script) and count:
        if script[at] == "\\":
            at += 1
        elif script[at] == closing:
            count -= 1
        at += 1
    return -1 if count else at


def awk_prints(program: str) -> bool:
    """Whether an awk program only prints to its own output."""
    if _AWK_UNPROVEN.search(program):
        return False
    # A slash or a # may start something in which a quote is no quote: then nothing is taken for a string.
    bare = program if "/" in program or "#" in program else _AWK_LITERALS.sub('""', program)
    if _AWK_PIPE.search(bare):
        return False
    depth = 0
    for position, sign in enumerate(bare):
        depth += (sign == "{") - (sign == "}")
        # Outside of an action, or in a condition, a > compares; anywhere else it may write a file.
        if sign == ">" and (depth > 0 or "/" in bare) and not _in_condition(bare, position):
            return False
    return True


def _in_condition(program: str, position: int) -> bool:
    if "/" in program or "#" in program or '"' in program.replace('""', ""):
        return False
    start = max(program.rfind(sign, 0, position) for sign in "{};\n")
    before = program[start + 1 : position]
    return bool(re.match(r"\s*(?:if|while|for)\s*\(", before)) and before.count("(") > before.count(")")
