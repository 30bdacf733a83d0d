"""Commands that run another command: what they run, and whether they add anything to it.

A *transparent* wrapper (``timeout 5 ls``) is as harmless as what it runs; every other one asks, but is looked through
all the same, so that what is dangerous or denied inside is found.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .shell_commands import Simple, names_in
from .shell_words import Word, literal
from .shell_wrapper_table import RUNS, TWO_WORDS, WRAPPERS, Wrapper

SHELLS = names_in("sh bash zsh dash ksh ksh93 mksh ash fish rbash csh tcsh")
PRIVILEGE = names_in("sudo doas su pkexec runuser gosu su-exec gsudo run0 sudoedit")
HARMLESS_VARIABLES = re.compile(
    r"LC_[A-Z]+|LANG|LANGUAGE|NO_COLOR|FORCE_COLOR|CLICOLOR(?:_FORCE)?|COLUMNS|LINES|CI|GIT_OPTIONAL_LOCKS"
)
PAGER_VARIABLES = frozenset({"PAGER", "GIT_PAGER", "MANPAGER"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """What a command runs: further commands, or a text that is a line of its own. ``why`` it is not transparent."""

    commands: tuple[Simple, ...] = ()
    source: str | None = None
    why: str = ""


_CONTAINERS = names_in("docker podman nerdctl kubectl oc lxc")
_POWERSHELLS = names_in("powershell powershell.exe pwsh pwsh.exe")
_SHELL_SET = re.compile(r"-[a-zA-Z]*c[a-zA-Z]*")
_QUIET_SHELL_FLAGS = re.compile(r"-[lceuxfC]+|--noprofile|--norc|--posix|--login")


@dataclass(slots=True)
class _Rest:
    """What is left of an argument list behind a wrapper's own words."""

    words: tuple[Word, ...]
    assignments: list[tuple[str, Word]] = field(default_factory=list[tuple[str, Word]])
    why: str = ""


def unwrap(simple: Simple) -> Unwrapped | None:
    """What a command runs; None when it is no wrapper (or runs nothing this time)."""
    name = simple.name
    if name in SHELLS:
        return _shell(simple)
    reader = _READERS.get("powershell" if name in _POWERSHELLS else name)
    return reader(simple) if reader is not None else _prefix(simple)


def _eval(simple: Simple) -> Unwrapped | None:
    arguments = simple.arguments
    source = "\n".join((_joined(arguments), _substituted(simple)))
    return Unwrapped(source=source, why="evaluates a text") if arguments else None


def _substituted(simple: Simple) -> str:
    """What substitutions of known texts put into a command; "" when they are not known."""
    outputs = [literal_output(inner) for inner in simple.inner]
    return "".join(text or "" for text in outputs) if all(outputs) else ""


def _module(simple: Simple) -> Unwrapped | None:
    """``python -m NAME`` runs a program that is usually there under its own name too."""
    words = simple.arguments
    at = next((number for number, word in enumerate(words[:-1], 1) if word.known == "-m"), 0)
    if not at or words[at].text is None:
        return None
    return Unwrapped(commands=(simple.with_words(words[at:]),), why=f"runs {simple.name} -m {words[at].known}")


def _editor(simple: Simple) -> Unwrapped | None:
    """Editors that take commands of their own, with ``!`` for the shell."""
    texts = [text.lstrip(":+ ") for text in simple.texts()]
    lines = [text[1:] for text in texts if text.startswith("!")]
    return Unwrapped(source="\n".join(lines), why="runs a command from an editor") if lines else None


def _as_user(simple: Simple) -> Unwrapped | None:
    found = _after(simple.arguments, "-c", "--command")
    return Unwrapped(source=_known(found), why="runs a command as another user") if found else None


def _trap(simple: Simple) -> Unwrapped | None:
    arguments = simple.arguments
    return Unwrapped(source=_known(arguments[0]), why="runs something later") if len(arguments) > 1 else None


def _flock(simple: Simple) -> Unwrapped | None:
    found = _after(simple.arguments, "-c", "--command")
    return Unwrapped(source=_known(found), why=RUNS) if found is not None else _prefix(simple)


def _windows(simple: Simple) -> Unwrapped | None:
    texts = [text.lower() for text in simple.texts()]
    start = next((number for number, text in enumerate(texts, 1) if text in ("/c", "/k")), 0)
    rest = simple.arguments[start:]
    return Unwrapped(source=_joined(rest), why="runs a Windows command") if rest else None


def _powershell(simple: Simple) -> Unwrapped | None:
    rest = [word for word in simple.arguments if not re.fullmatch(r"-(?!enc)\w+", word.known, re.IGNORECASE)]
    return Unwrapped(source=_joined(rest), why="runs PowerShell") if rest else None


def _command(simple: Simple) -> Unwrapped | None:
    asks_only = any(word.known in ("-v", "-V") for word in simple.arguments)
    return None if asks_only else _prefix(simple)


def _prefix(simple: Simple) -> Unwrapped | None:
    """Wrappers of the form NAME [OPTION]... [OPERAND]... COMMAND."""
    name, arguments = simple.name, simple.arguments
    if arguments and (name, arguments[0].known) in TWO_WORDS:
        rest = tuple(word for word in arguments[1:] if word.known != "--")
        return (
            Unwrapped(commands=(simple.with_words(rest),), why="runs what the project brings along") if rest else None
        )
    if name in _CONTAINERS:
        return _container(simple)
    wrapper = WRAPPERS.get(name)
    if wrapper is None or not arguments:
        return None
    rest = _behind(arguments, wrapper)
    if not rest.words:
        return None if not rest.why else Unwrapped(why=rest.why)
    inner = replace(
        simple.with_words(rest.words), extra_arguments=simple.extra_arguments or name in ("xargs", "parallel")
    )
    inner = replace(inner, redirects=())
    if name == "watch" and len(rest.words) == 1:
        return Unwrapped(source=_known(rest.words[0]), why=RUNS)
    return Unwrapped(commands=(inner,), why=wrapper.why or rest.why)


def _behind(arguments: Sequence[Word], wrapper: Wrapper) -> _Rest:
    """Skip a wrapper's options and operands. An unknown option is taken for a flag, and is told."""
    waiting = list(arguments)
    why = ""
    while waiting and waiting[0].known.startswith("-") and waiting[0].known not in ("-", "--"):
        text = waiting[0].known
        name = text.partition("=")[0] if text.startswith("--") else text
        takes = wrapper.options.words.get(name) or wrapper.options.letters.get(text[-1] if len(text) == 2 else text[1])
        known = name in wrapper.options.words or all(
            letter in wrapper.options.letters for letter in (text[1:2] if takes and takes.value else text[1:])
        )
        if not known and not re.fullmatch(r"-\d+", text):
            why = f"has the option {text[:30]}, which is not known"
        waiting.pop(0)
        separate = (
            takes is not None and takes.value == ":" and "=" not in text and (text.startswith("--") or len(text) == 2)
        )
        if separate and waiting:
            waiting.pop(0)
    if waiting and waiting[0].known == "--":
        waiting.pop(0)
    return _Rest(tuple(waiting[wrapper.skip :]), why=why)


def _shell(simple: Simple) -> Unwrapped | None:
    """``bash -c TEXT`` and its like."""
    arguments = list(simple.arguments)
    quiet = True
    while arguments:
        word = arguments.pop(0)
        text = word.known
        if text in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"):
            quiet = False
            arguments = arguments[1:]
        elif text.startswith("-") and not text.startswith("--") and _SHELL_SET.fullmatch(text):
            while len(arguments) > 1 and arguments[0].known.startswith(("-", "+")):
                arguments.pop(0)  # further options may stand between -c and its text
                quiet = False
            if not arguments:
                return None
            quiet = quiet and bool(_QUIET_SHELL_FLAGS.fullmatch(text)) and arguments[0].text is not None
            return Unwrapped(
                source="\n".join((_known(arguments[0]), _substituted(simple))),
                why="" if quiet else "starts a shell with settings of its own",
            )
        elif text.startswith(("-", "+")) and len(text) > 1:
            quiet = quiet and bool(_QUIET_SHELL_FLAGS.fullmatch(text))
        else:
            return None
    if simple.text is not None and simple.text.text is not None:
        return Unwrapped(source=simple.text.text, why="runs what it reads")
    produced = [literal_output(feed) for feed in simple.feeds]
    if produced and all(text is not None for text in produced):
        return Unwrapped(source="".join(text or "" for text in produced), why="runs what it reads")
    return None


def literal_output(simple: Simple) -> str | None:
    """What an ``echo`` or ``printf`` of known words prints; None for everything else."""
    if simple.name == "case":
        return ""
    if simple.name not in ("echo", "printf") or any(word.text is None for word in simple.arguments):
        return None
    texts = [text for text in simple.texts() if text not in ("-n", "-e", "-ne", "-en", "--")]
    if simple.name == "printf" and texts and "%" in texts[0]:
        shown = re.sub(r"%[sbqd]", "\0", texts[0])
        for text in texts[1:]:
            shown = shown.replace("\0", text, 1) if "\0" in shown else shown + text
        return _unescaped(shown.replace("\0", "")) + "\n"
    return _unescaped(" ".join(texts)) + "\n"


def _unescaped(text: str) -> str:
    def code(found: re.Match[str]) -> str:
        digits = found[1]
        return chr(int(digits[1:], 16)) if digits[0] == "x" else chr(int(digits, 8) & 0xFF)

    plain = re.sub(r"\\(x[0-9A-Fa-f]{1,2}|0?[0-7]{1,3})", code, text)
    return plain.replace("\\n", "\n").replace("\\t", "\t")


def _env(simple: Simple) -> Unwrapped | None:
    waiting = list(simple.arguments)
    why = ""
    assignments: list[tuple[str, Word]] = []
    while waiting:
        text = waiting[0].known
        if text in ("-i", "-", "-0", "--ignore-environment", "-v"):
            waiting.pop(0)
        elif text in ("-u", "--unset", "-C", "--chdir"):
            why = "" if text in ("-u", "--unset") and why == "" else "runs elsewhere"
            waiting = waiting[2:]
        elif text in ("-S", "--split-string") or text.startswith(("-S", "--split-string=")):
            rest = text.removeprefix("--split-string=").removeprefix("-S")
            source = (
                " ".join([rest, *(word.known for word in waiting[1:])])
                if rest not in ("", text)
                else _joined(waiting[1:])
            )
            return Unwrapped(source=source, why="splits a text into a command")
        elif text == "--":
            waiting.pop(0)
            break
        elif text.startswith("-"):
            why = "has an option that is not known"
            waiting.pop(0)
        else:
            break
    while waiting and "=" in waiting[0].known.partition("\0")[0]:
        name, _, value = waiting.pop(0).known.partition("=")
        assignments.append((name, literal(value)))
    if not waiting:
        return None
    inner = replace(simple.with_words(tuple(waiting)), assignments=tuple(assignments), redirects=())
    return Unwrapped(commands=(inner,), why=why)


def _remote(simple: Simple) -> Unwrapped | None:
    waiting = list(simple.arguments)
    while waiting and waiting[0].known.startswith("-"):
        flag = waiting.pop(0).known
        if len(flag) == 2 and flag[1] in "bcDeFIiJLlmOopQRSWw" and waiting:
            waiting.pop(0)
    rest = waiting[1:]
    return Unwrapped(source=_joined(rest), why="runs on another machine") if rest else None


def _find(simple: Simple) -> Unwrapped | None:
    """The commands of ``-exec`` and its like."""
    commands: list[Simple] = []
    starts = ("-exec", "-execdir", "-ok", "-okdir") if simple.name == "find" else ("-x", "-X", "--exec", "--exec-batch")
    words = list(simple.arguments)
    while words:
        if words.pop(0).known not in starts:
            continue
        end = next((n for n, word in enumerate(words) if word.known in (";", "+")), len(words))
        if words[:end]:
            commands.append(replace(simple.with_words(tuple(words[:end])), extra_arguments=True, redirects=()))
        words = words[end:]
    return Unwrapped(commands=tuple(commands), why="runs a command on what it finds") if commands else None


def _git(simple: Simple) -> Unwrapped | None:
    """Git commands that run a line of their own."""
    texts = simple.texts()
    for start, after in (
        ("foreach", None),
        ("run", "bisect"),
        ("-x", "rebase"),
        ("--exec", "rebase"),
        ("--tree-filter", None),
    ):
        if start in texts and (after is None or after in texts):
            rest = [
                word for word in simple.arguments[texts.index(start) + 1 :] if not word.known.startswith("--recursive")
            ]
            return Unwrapped(source=_joined(rest), why="runs a command for every step") if rest else None
    return None


def _container(simple: Simple) -> Unwrapped | None:
    """``docker run IMAGE COMMAND`` and ``exec``: what runs inside is looked at too."""
    texts = simple.texts()
    if not any(verb in texts for verb in ("run", "exec")):
        return None
    start = next(n for n, text in enumerate(texts) if text in ("run", "exec")) + 1
    if "--" in texts:
        return Unwrapped(
            commands=(simple.with_words(simple.arguments[texts.index("--") + 1 :]),), why="runs in a container"
        )
    valued = (
        "-v",
        "-e",
        "-p",
        "-w",
        "-u",
        "--name",
        "--network",
        "--volume",
        "--mount",
        "--env",
        "--user",
        "--entrypoint",
        "-c",
        "-n",
    )
    while start < len(texts) and texts[start].startswith("-"):
        start += 2 if texts[start] in valued else 1
    rest = simple.arguments[start + 1 :]
    return (
        Unwrapped(commands=(replace(simple.with_words(rest), redirects=()),), why="runs in a container")
        if rest
        else None
    )


def _after(words: Sequence[Word], *names: str) -> Word | None:
    """The word behind an option, in a cluster of letters too."""
    for number, word in enumerate(words[:-1]):
        text = word.known
        letters = re.fullmatch(r"-[A-Za-z]+", text) is not None and any(
            text.endswith(n[-1]) for n in names if len(n) == 2
        )
        if text in names or letters:
            return words[number + 1]
    return None


def _joined(words: Sequence[Word]) -> str:
    """Words as the line they make: what is unknown stays a substitution that asks."""
    return " ".join(_known(word) for word in words)


def _known(word: Word) -> str:
    """The text of a word that is a line of its own; holes are put back as the expansions they were."""
    pieces: list[str] = []
    for part in word.parts:
        text = getattr(part, "text", None)
        if text is not None:
            pieces.append(text)
            continue
        kind, source = getattr(part, "kind", ""), getattr(part, "source", "")
        pieces.append(
            {"command": f"$({source})", "process to read from": f"<({source})", "arithmetic": f"$(({source}))"}.get(
                str(kind), f"${{{source}}}"
            )
        )
    return "".join(pieces)


_READERS: dict[str, Callable[[Simple], Unwrapped | None]] = {
    "env": _env,
    "eval": _eval,
    **dict.fromkeys(("su", "runuser", "script"), _as_user),
    "trap": _trap,
    **dict.fromkeys(("ssh", "sshpass", "mosh"), _remote),
    **dict.fromkeys(("find", "fd", "fdfind"), _find),
    "git": _git,
    "flock": _flock,
    **dict.fromkeys(("cmd", "cmd.exe"), _windows),
    "powershell": _powershell,
    "command": _command,
    **dict.fromkeys(("python", "python2", "python3", "py"), _module),
    **dict.fromkeys(("vi", "vim", "nvim", "ex", "view", "less", "ed"), _editor),
}
