"""Commands that are judged by more than a table: built-ins, small languages, tools with sub-commands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .shell_commands import Simple, is_unknown, starts_open
from .shell_git import git_reads
from .shell_options import Options, parse_arguments
from .shell_programs import awk_prints, find_reads, sed_prints
from .shell_words import Word, literal

if TYPE_CHECKING:
    from .shell_reads import Reading

SECRET_VARIABLE = re.compile(
    r".*(?:KEY|TOKEN|SECRET|PASS(?:WORD|WD|PHRASE)?|CREDENTIAL|AUTH|PRIVATE|COOKIE|BEARER|DATABASE_URL|_DSN|_PAT|CONN(?:ECTION)?_STR"
    r").*|PASS|PW|PWD_.*|PGPASSFILE",
    re.IGNORECASE,
)
OWN_NAME = re.compile(r"(?!.*_proxy$|auto_resume$|histchars$)[a-z_][a-z0-9_]*\+?", re.ASCII)
"""A variable that only the line itself looks at: no other program takes it for a setting."""
_ARITHMETIC_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_NUMBERS = re.compile(r"[0-9\s+\-*/%()<>=!&|^~?:,]*")
_DATE = Options.parse("-uRI -d: -I? --date: --iso-8601? --rfc-3339: --rfc-email --utc --universal --debug")
_SED = Options.parse(
    "-nErsuz -e: -l: --quiet --silent --expression: --regexp-extended --separate --null-data --posix --debug"
    " --sandbox --line-length:"
)
_AWK = Options.parse("-F: -v: --field-separator: --assign:")
_PIP = Options.parse(
    "-fv --files --verbose --format: --not-required --user --local --exclude: --all --no-color"
    " --disable-pip-version-check"
)
_NPM = Options.parse("-alg --all --depth: --global --json --long --parseable --omit:")

Check: TypeAlias = "Callable[[Reading, Simple], str]"
"""Why a command may do more than read; "" when it only reads."""


def _echo(reading: Reading, simple: Simple) -> str:
    return reading.texts(simple.arguments, simple)  # pyright: ignore[reportPrivateUsage]


def _printf(reading: Reading, simple: Simple) -> str:
    first = simple.arguments[0] if simple.arguments else literal("")
    if first.known.startswith("-") and first.known not in ("--", "-"):
        return "has an option that is not known to be harmless"
    return "formats a text that is not known before it runs" if starts_open(first) else _echo(reading, simple)


def _test(reading: Reading, simple: Simple) -> str:
    words = simple.arguments
    texts = [word.text for word in words]
    if any(text in ("-v", "-R") for text in texts) or (simple.name != "[[" and sum(starts_open(w) for w in words) > 1):
        return "tests something that may run a command"
    if any(not hole.quoted for word in words for hole in word.holes) and simple.name != "[[":
        return "tests a value that may become several words"
    if any(text in _ARITHMETIC_TESTS for text in texts):
        numbers = (
            text
            for text in texts
            if text not in _ARITHMETIC_TESTS and text not in ("]", "]]", "[", "&&", "||", "!", "-a", "-o")
        )
        if any(text is None or not _NUMBERS.fullmatch(text) for text in numbers):
            return "compares values that may hold commands"
    for previous, word in itertools.pairwise((literal(""), *words)):
        looks_at_file = re.fullmatch(r"-[abcdefghkprstuwxGLNOS]", previous.text or "") is not None
        if looks_at_file and word.text is not None and (why := reading.path(word, simple.folders)):
            return why
    return ""


def _arithmetic(_reading: Reading, simple: Simple) -> str:
    known = all(word.text is not None and _NUMBERS.fullmatch(word.text) for word in simple.arguments)
    return "" if known else "calculates with values that may hold commands"


def _cd(reading: Reading, simple: Simple) -> str:
    words = simple.arguments
    if len(words) != 1 or not words[0].text or words[0].text.startswith("-") or words[0].glob:
        return "changes to a folder that is not known before it runs"
    return reading.path(words[0], simple.folders)


def _git(reading: Reading, simple: Simple) -> str:
    why, operands = git_reads(simple.arguments)
    if why:
        return why
    for word in operands:
        if word.text is None or (word.glob and starts_open(word)):
            return "has an argument that is not known before it runs"
        after = word.text.partition(":")[2]
        named = [word, *([literal(after)] if after and after[0] not in "(!/^" else [])]
        for each in named:
            if each.text and (why := reading.path(each, simple.folders)):
                return why
    return ""


def _find(reading: Reading, simple: Simple) -> str:
    why, roots = find_reads(simple.arguments)
    return why or next((why for root in roots if (why := reading.path(root, simple.folders))), "")


def _sed(reading: Reading, simple: Simple) -> str:
    parsed = parse_arguments(simple.arguments, _SED)
    if parsed.wrong:
        return parsed.wrong
    scripts = [value for name, value in parsed.values if name in ("-e", "--expression")]
    operands = list(parsed.operands)
    if not scripts and operands:
        first = operands.pop(0)
        scripts = [first.text if first.text is not None and not first.glob else "\0"]
    if not scripts or not all(sed_prints(script) for script in scripts):
        return "runs a sed script that may write or run something"
    if any(starts_open(word) for word in operands):
        return "starts an argument with a pattern that may become an option"
    return next((why for word in operands if (why := reading.path(word, simple.folders))), "")


def _awk(reading: Reading, simple: Simple) -> str:
    parsed = parse_arguments(simple.arguments, _AWK)
    if parsed.wrong:
        return parsed.wrong
    program = parsed.operands[0] if parsed.operands else literal("system")
    if program.text is None or program.glob or not awk_prints(program.text):
        return "runs an awk program that may write or run something"
    if any("\0" in value or value.startswith("@") for _, value in parsed.values):
        return "has a value that is not known before it runs"
    operands = parsed.operands[1:]
    if any(starts_open(word) or "=" in word.known for word in operands):
        return "has an argument that may change the program"
    return next((why for word in operands if (why := reading.path(word, simple.folders))), "")


def _date(_reading: Reading, simple: Simple) -> str:
    parsed = parse_arguments(simple.arguments, _DATE)
    if parsed.wrong or any("\0" in value for _, value in parsed.values):
        return parsed.wrong or "has a value that is not known before it runs"
    return "" if all((word.text or "").startswith("+") for word in parsed.operands) else "may set the clock"


def _printenv(_reading: Reading, simple: Simple) -> str:
    names = [word.text for word in simple.arguments]
    if not names:
        return "prints the whole environment"
    safe = all(name and re.fullmatch(r"\w+", name) and not SECRET_VARIABLE.fullmatch(name) for name in names)
    return "" if safe else "prints a variable that may hold a secret"


def _command_v(_reading: Reading, simple: Simple) -> str:
    words = simple.arguments
    return "" if words and words[0].text in ("-v", "-V") else "runs its arguments as a command"


def _sub_command(options: Options, *names: str) -> Check:
    def check(_reading: Reading, simple: Simple) -> str:
        words = simple.arguments
        if not words or words[0].text not in names:
            return f"runs {simple.name}"
        parsed = parse_arguments(words[1:], options)
        return parsed.wrong or ("has an argument that is not known" if any(map(is_unknown, parsed.operands)) else "")

    return check


def _archive(reading: Reading, simple: Simple) -> str:
    words = simple.arguments
    flags = (words[0].text or "") if words else ""
    listing = (
        re.fullmatch(r"-?[vzjJ]*t[vzjJ]*f", flags)
        if simple.name == "tar"
        else simple.name == "zipinfo" or flags in ("-l", "-Z1", "-Zl", "-v")
    )
    named = words if simple.name == "zipinfo" else words[1:]
    if not listing or not named or any((word.text or "-").startswith("-") for word in named):
        return f"runs {simple.name}"
    return next((why for word in named if (why := reading.path(word, simple.folders))), "")


def without_jq_values(words: Sequence[Word]) -> tuple[tuple[Word, ...], str]:
    """A jq command without its ``--arg NAME VALUE``."""
    kept: list[Word] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.text in ("--arg", "--argjson") and len(waiting) > 1:
            if waiting[1].text is None or waiting[1].glob:
                return (), "has a value that is not known before it runs"
            waiting = waiting[2:]
        else:
            kept.append(word)
    return tuple(kept), ""


def _jq(texts: Sequence[str]) -> str:
    unproven = any(re.search(r"\benv\b|\$ENV|\b(?:import|include|input_filename)\b|\$__prog", text) for text in texts)
    return "runs a jq program that may read the environment or other files" if unproven else ""


def _ps(texts: Sequence[str]) -> str:
    return (
        "may show the environment of programs"
        if any(not re.fullmatch(r"[adfghijlmnoprsuvwx]*", t) for t in texts)
        else ""
    )


def _names_only(texts: Sequence[str]) -> str:
    return "" if all(re.fullmatch(r"[\w.+:-]*", text) for text in texts) else "names something that is no name"


def _read_names(texts: Sequence[str]) -> str:
    return "" if all(OWN_NAME.fullmatch(text) for text in texts) else "sets a variable that other programs look at"


OPERAND_CHECKS: dict[str, Callable[[Sequence[str]], str]] = {
    "jq": _jq,
    "ps": _ps,
    "man": _names_only,
    "dpkg": _names_only,
    "read": _read_names,
}
SPECIAL: dict[str, Check] = {
    "echo": _echo,
    "printf": _printf,
    "test": _test,
    "[": _test,
    "[[": _test,
    "((": _arithmetic,
    "cd": _cd,
    "git": _git,
    "find": _find,
    "sed": _sed,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "nawk": _awk,
    "date": _date,
    "printenv": _printenv,
    "command": _command_v,
    "pip": _sub_command(_PIP, "show", "list", "freeze"),
    "pip3": _sub_command(_PIP, "show", "list", "freeze"),
    "npm": _sub_command(_NPM, "ls", "list"),
    "tar": _archive,
    "unzip": _archive,
    "zipinfo": _archive,
}
