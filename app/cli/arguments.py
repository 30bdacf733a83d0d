"""What can be typed after ``patchbay``: one parser a command, and the exit codes they share."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path

from ... import __version__


class ExitCode(IntEnum):
    """What the shell gets to know."""

    OK = 0
    FAILED = 1
    """The turn failed: the server said no or went away. ``doctor``: nothing usable."""
    USAGE = 2
    """Wrong usage or settings; nothing was sent to a model."""
    DENIED = 3
    """The answer is complete, but a tool the model asked for was denied."""
    BUDGET = 4
    """The turn ended before a request that would have passed a budget, or that nobody could be asked about."""
    STEPS = 5
    """The turn ended after as many requests as it may have."""
    INTERRUPTED = 130
    """Ctrl+C."""
    TERMINATED = 143


EXIT_CODES = """\
exit codes:
  0    done
  1    the turn failed; doctor: nothing can be used
  2    wrong usage or settings; nothing was sent to a model
  3    run: the answer is complete, but a tool was denied (see --allow)
  4    run: stopped before a request that would have passed a budget (see --max-cost)
  5    run: stopped after as many requests as it may have (see --max-turns)
  130  interrupted with Ctrl+C
  143  ended by SIGTERM
"""

_ABOUT = f"""\
A terminal coding agent that works with any model and shows every patch and every cent.

  patchbay [PATH]     work in a folder (the current one when none is given)
  patchbay run        one prompt without a screen, for scripts
  patchbay verify     run the project's checks and have a model mend what fails
  patchbay models     the models that can be used now
  patchbay login      keep a provider's key, for those who set no variable; logout forgets it
  patchbay doctor     what is configured, found and reachable, and what to do next
  patchbay sessions   earlier sessions: list, search, export, import, rm
  patchbay cost       what was spent, by model, day, session, tool and more
  patchbay stats      how it went: turns, tools, speed, errors; stays on this machine
  patchbay tools      the tools a model gets; run one by hand
  patchbay trust      let a folder's own settings and instructions count, or no longer
  patchbay policy     what would be asked, allowed or refused, and why
  patchbay wire       look into recorded model streams
  patchbay logs       the newest lines of the local log

A command wins over a folder of the same name: write ./run for the folder.

{EXIT_CODES}"""

COMMANDS = frozenset(
    (
        *("run", "verify", "models", "login", "logout", "cost", "doctor", "policy", "sessions", "stats", "tools"),
        *("trust", "wire", "logs"),
    )
)
_WITH_VALUE = frozenset(
    (
        *("--model", "--config", "--record", "--resume", "--mode", "--remove", "--op", "--batch", "--from"),
        *("--rounds", "-n", "--max-cost"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A parsed command line. ``name`` is empty for the full-screen application."""

    name: str
    options: argparse.Namespace
    rest: tuple[str, ...] = ()
    """The unparsed words after ``sessions``, ``wire decode`` and ``wire replay``."""


def parse(argv: Sequence[str]) -> Command:
    """Parse the words after ``patchbay``. Raises SystemExit for help, version and wrong usage (2), like argparse."""
    position = _command_position(argv)
    if position is None:
        return Command(name="", options=_application().parse_args(argv))
    name = argv[position]
    rest = (*argv[:position], *argv[position + 1 :])
    if name == "wire":
        return _wire(rest)
    if name == "sessions":
        return Command(name=name, options=argparse.Namespace(), rest=rest)
    parsers = {"run": _run, "models": _models, "doctor": _doctor, "policy": _policy, "tools": _tools, "trust": _trust}
    if name in ("cost", "stats"):
        from .money_arguments import cost_parser, stats_parser  # only these two know of periods

        parsers |= {"cost": cost_parser, "stats": stats_parser}
    parsers |= {"verify": _verify, "logs": _logs, "login": _login, "logout": _logout}
    parser = parsers[name]()
    return Command(name=name, options=parser.parse_args(rest))


def _command_position(argv: Sequence[str]) -> int | None:
    """Where the first word stands that is no option, if it is a command."""
    skip = False
    for position, word in enumerate(argv):
        if skip:
            skip = False
        elif not word.startswith("-") or word == "-":
            return position if word in COMMANDS else None
        elif word == "--":
            return None
        else:
            skip = word in _WITH_VALUE
    return None


def new_parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser in the house's way: whole option names only, texts kept as they are written."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file to use in place of the usual one")
    parser.add_argument(
        "--trust", action="store_true", help="trust the folder's own settings and instructions, for this run"
    )


def _add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="PROVIDER/MODEL", help="the model to use, for example ollama/qwen3-coder:30b"
    )
    going_on = parser.add_mutually_exclusive_group()
    going_on.add_argument("--continue", action="store_true", dest="resume", help="go on with the folder's last session")
    going_on.add_argument(
        "--resume", dest="session", metavar="ID", help="go on with this session (see patchbay sessions list)"
    )
    parser.add_argument(
        "--mode",
        choices=("plan", "ask", "accept-edits", "auto"),
        help="what runs unasked: nothing that changes (plan), reads (ask), edits too, or commands too, in the sandbox",
    )
    parser.add_argument(
        "--max-cost",
        type=_amount,
        metavar="USD",
        help="what this session may cost: no request is sent that would pass it (see [budget])",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="write every exchange with a provider to DIR, without keys (see patchbay wire)",
    )
    _add_settings(parser)


def _application() -> argparse.ArgumentParser:
    parser = new_parser("patchbay", _ABOUT)
    parser.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH", help="the folder to work in")
    _add_session(parser)
    parser.add_argument("--demo", action="store_true", help="play a small task without any model, in a sample folder")
    parser.add_argument("--version", action="version", version=f"patchbay {__version__}")
    return parser


def _run() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay run",
        "One prompt without a screen. The answer goes to standard output, progress to standard error.",
        EXIT_CODES,
    )
    parser.add_argument(
        "-p", "--prompt", required=True, metavar="TEXT", help="the prompt; - reads it from standard input"
    )
    parser.add_argument("--output", choices=("text", "json", "jsonl"), default="text", help="form of the answer")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        type=_rule,
        metavar="RULE",
        help="let a tool run without asking, for example 'bash:pytest *' or 'edit:src/**'; may be repeated",
    )
    parser.add_argument(
        "--max-turns",
        "--max-steps",
        dest="max_steps",
        type=_positive,
        metavar="N",
        help="requests to the model before giving up",
    )
    _add_session(parser)
    return parser


VERIFY_CODES = """\
exit codes:
  0    green: every check passes
  1    checks still fail, after the last round or with --rounds 0
  2    wrong usage or settings, or there is nothing to check
  3    what ran passes, but not every check could be run (denied, or not installed)
  4    stopped at the budget
  5    the model's turn failed
  130  interrupted with Ctrl+C
  143  ended by SIGTERM
"""


def _verify() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay verify",
        "Run the project's checks (settings: [verify] checks; else those its files name) and let a model mend what\n"
        "fails, round by round. Checks pass through policy and sandbox like any command of a model.",
        VERIFY_CODES,
    )
    parser.add_argument(
        "--rounds", type=_rounds, metavar="N", help="how often the model is asked at most; 0 only checks"
    )
    parser.add_argument("--list", action="store_true", help="say what would be run, and run nothing")
    parser.add_argument("--yes", action="store_true", help="run the checks without asking (not what destroys)")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object on standard output")
    parser.add_argument("--allow", action="append", default=[], type=_rule, metavar="RULE", help="as in patchbay run")
    _add_session(parser)
    return parser


def _logs() -> argparse.ArgumentParser:
    parser = new_parser("patchbay logs", "The local log: what was started, asked and answered, never what was said.")
    parser.add_argument("-n", type=_positive, default=50, metavar="N", help="how many lines (default 50)")
    parser.add_argument("--follow", action="store_true", help="go on as lines are written, until Ctrl+C")
    parser.add_argument("--path", action="store_true", help="only say where the file is")
    return parser


def _models() -> argparse.ArgumentParser:
    parser = new_parser("patchbay models", "The models that can be used now: configured, found on this machine, demo.")
    parser.add_argument(
        "action", nargs="?", choices=("refresh",), help="refresh: fetch today's prices and windows from models.dev"
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE|URL", help="refresh: a file of models.dev's api.json, or another address"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    _add_settings(parser)
    return parser


def _doctor() -> argparse.ArgumentParser:
    parser = new_parser("patchbay doctor", "What is configured, found and reachable, and what to do next.", EXIT_CODES)
    parser.add_argument("--json", action="store_true", help="one JSON object in place of text")
    probing = parser.add_mutually_exclusive_group()
    probing.add_argument(
        "--model", metavar="PROVIDER/MODEL", help="try this local model only, in place of one of each local server"
    )
    probing.add_argument("--all", action="store_true", help="try all models of each local server: may take long")
    probing.add_argument("--no-probe", action="store_true", help="try no local model: no speed, no tool call")
    _add_settings(parser)
    return parser


def _tools() -> argparse.ArgumentParser:
    parser = new_parser("patchbay tools", "The tools a model gets, and one of them run by hand.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|call")
    listing = actions.add_parser("list", help="every tool with its arguments", allow_abbrev=False)
    listing.add_argument("--json", action="store_true", help="as the model gets them, one JSON object")
    call = actions.add_parser(
        "call",
        help="run one tool in this folder: policy, question and all",
        description="Run one tool in this folder, through policy and approval, exactly as a model would.",
        allow_abbrev=False,
    )
    call.add_argument("name", nargs="?", metavar="NAME", help="the tool; see patchbay tools list")
    call.add_argument(
        "--json", dest="arguments", metavar="ARGS", help="its arguments as a JSON object; - reads them (with --yes)"
    )
    call.add_argument(
        "--yes",
        action="store_true",
        help="answer yes, but not to loud questions or to writing outside the folder (see --allow)",
    )
    call.add_argument("--allow", action="append", default=[], type=_rule, metavar="RULE", help="as in patchbay run")
    call.add_argument("--json-output", action="store_true", help="the result as one JSON object")
    call.add_argument(
        "--batch", type=Path, metavar="FILE", help="run the calls of a JSON lines file, each line in a folder it names"
    )
    _add_settings(call)
    return parser


def _trust() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay trust",
        "Let a folder's own settings, instructions, hooks and servers count, as they are now. When one of them\n"
        "changes, you are asked again. Runs for scripts trust no folder without --trust.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("path", nargs="?", type=Path, default=None, metavar="PATH", help="the folder (default: this one)")
    what.add_argument("--list", action="store_true", help="the folders you have answered for")
    what.add_argument("--remove", type=Path, metavar="PATH", help="forget the answer for a folder")
    return parser


def _login() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay login",
        "Keep the key of a provider: in the system's keyring (with the package keyring), else in a file that only you\n"
        "may read. It is asked for without being shown, or read from a pipe. A variable that is set goes before it.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("provider", nargs="?", metavar="PROVIDER", help="for example anthropic, or one of your settings")
    what.add_argument("--list", action="store_true", help="for which providers a key is kept; keys are never shown")
    _add_settings(parser)
    return parser


def _logout() -> argparse.ArgumentParser:
    parser = new_parser("patchbay logout", "Forget the kept key of a provider.")
    parser.add_argument("provider", metavar="PROVIDER", help="the provider it was kept for")
    _add_settings(parser)
    return parser


def _policy() -> argparse.ArgumentParser:
    parser = new_parser(
        "patchbay policy",
        "What would be done with a command or a path, and why. Nothing is run and no file is opened.",
    )
    parser.add_argument(
        "action",
        choices=("check", "path", "test", "show"),
        help="check: judge a command; path: judge a path; test: run the rules file's tests; show: the rules in force",
    )
    parser.add_argument("subject", nargs="?", metavar="COMMAND|PATH", help="what to judge")
    parser.add_argument(
        "--op", choices=("read", "write", "glob", "grep"), default="read", help="what is done with the path"
    )
    parser.add_argument("--batch", type=Path, metavar="FILE", help="judge the rows of a file of JSON lines")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of text (test, show)")
    _add_settings(parser)
    return parser


def _wire(words: Sequence[str]) -> Command:
    parser = new_parser("patchbay wire", "Look into recorded model streams. `patchbay wire decode --help` tells more.")
    parser.add_argument(
        "action",
        choices=("decode", "replay"),
        help="decode: print what recorded streams hold; replay: run a recorded session again, offline",
    )
    return Command(name="wire", options=parser.parse_args(words[:1]), rest=tuple(words[1:]))


def _rule(text: str) -> str:
    from ...tools.rules import Rule  # only here: no other command line needs rules

    try:
        return str(Rule.parse(text, origin="--allow"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rounds(text: str) -> int:
    from ..engine.verify_events import MAX_ROUNDS  # only here: nothing else of the engine is needed to read words

    number = int(text)
    if not 0 <= number <= MAX_ROUNDS:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_ROUNDS}")
    return number


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.removeprefix("$"))
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise argparse.ArgumentTypeError("must be an amount in USD above zero, like 0.50")
    return amount


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
