"""Decides which calls run at once, which ask a person first and which never run, and says which rule decided.

Order: a rule that denies; what the mode refuses; what is loud; a rule that asks; a protected or secret name asks,
unless a rule names exactly this file; reading inside the workspace runs; a rule that covers the call lets it run;
what the mode lets run; everything else asks. Of rules that allow and ask, the last that covers a call counts.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .base import Mode
from .command_patterns import EVERYTHING, allows, names, offered_pattern
from .events import Decision
from .patterns import has_wildcards
from .rules import Effect, Rule
from .sensitive import Concern
from .shell_gate import LineReading, Part, ShellGate
from .web_address import covers_host, look_alike
from .withholding import Withholding
from .workspace import Place

__all__ = ["Action", "Effect", "Policy", "Request", "Rule", "Ruling", "Verdict"]

_STRICTNESS = (Mode.AUTO, Mode.ACCEPT_EDITS, Mode.ASK, Mode.PLAN)
READ_RULES = "your rules about reading"
"""What decides when a rule about ``read`` makes a command, or a folder, be asked about."""
_CONCERNS = {Concern.PROTECTED: "protected names ask", Concern.SECRET: "secrets ask"}
BUILT_IN = (
    ("plan mode", "in plan mode nothing is changed and no command runs that does more than read"),
    ("loud", "what destroys, sends secrets out, takes rights or plants code asks for a typed word; no rule covers it"),
    (
        "protected names ask",
        "files that other programs run or are set up by; only a rule that names the file covers them",
    ),
    ("secrets ask", "files that hold keys or passwords; only a rule that names the file covers them"),
    ("reads inside", "reading inside the workspace runs"),
    (
        "commands that read",
        "a command line runs when each of its commands is known to only read, and only inside the workspace",
    ),
    ("accept-edits mode", "in accept-edits and auto mode, changes inside the workspace run"),
    ("auto mode", "in auto mode commands run, inside the sandbox"),
    ("fetching asks", "a host of the internet, in every mode: what is fetched can carry away what was read"),
    ("outside asks", "files outside the workspace"),
    ("changes ask", "changes to files"),
    ("commands ask", "every other command"),
)
"""The rules that are always there, in the order they are tried, for people to read."""


class Action(StrEnum):
    """What a call does to the world."""

    READ = "read"
    WRITE = "write"
    RUN = "run"
    FETCH = "fetch"
    """Ask a host of the internet for something."""
    NOTE = "note"
    """Change nothing but what the session shows."""


class Ruling(StrEnum):
    """What the policy says to a call."""

    ALLOW = "allow"
    ASK = "ask"
    ASK_LOUD = "ask_loud"
    """Ask, for this once only, and have a word typed for a yes."""
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call as the policy sees it. ``places`` for READ and WRITE, ``command`` for RUN, ``host`` for FETCH."""

    tool: str
    action: Action
    places: tuple[Place, ...] = ()
    command: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A ruling with its reason. ``patterns`` are the rules that "always" would add, none when there is no "always".

    ``confirm`` is what must be typed for a yes to a loud question.
    """

    decision: Ruling
    rule: str
    why: str
    patterns: tuple[str, ...] = ()
    confirm: str = ""

    @property
    def pattern(self) -> str | None:
        """The rules of ``patterns`` in one line, for people."""
        return ", ".join(self.patterns) or None


class Policy:
    """The rules of one session. ``remember`` is called with each rule that a person wants kept for good."""

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        remember: Callable[[str], None] | None = None,
        gate: ShellGate | None = None,
    ) -> None:
        self._rules: list[tuple[Rule, Mode]] = [(rule, Mode.PLAN) for rule in rules]
        self._remember = remember
        self._this_session: dict[tuple[str, ...], Mode] = {}
        self.gate = gate or ShellGate()
        """Reads command lines; the toolbox gives the one that knows its workspace."""
        self.mode = Mode.ASK

    def rules(self) -> tuple[Rule, ...]:
        """Every rule of a person that is in force in this mode, in the order they are tried."""
        return tuple(rule for rule, given_in in self._rules if self._still_holds(given_in))

    def withholding(self) -> Withholding:
        """What the rules in force keep back from tools and commands that read."""
        return Withholding(self.rules())

    def judge(self, request: Request) -> Verdict:
        """What to do with a call. Never raises."""
        match request.action:
            case Action.RUN:
                return self._judge_command(request)
            case Action.FETCH:
                return self._judge_host(request)
            case Action.NOTE:
                return _allow("notes", "changes nothing outside the session")
            case Action.READ | Action.WRITE:
                verdicts = [self._judge_place(request, place) for place in request.places]
                order = (Ruling.BLOCK, Ruling.ASK_LOUD, Ruling.ASK)
                return next((v for ruling in order for v in verdicts if v.decision is ruling), verdicts[0])

    def learn(self, request: Request, verdict: Verdict, decision: Decision) -> None:
        """Take a person's answer into account for the calls to come. A loud question is answered for once only."""
        if verdict.decision is not Ruling.ASK:
            return
        match decision:
            case Decision.SESSION if not verdict.patterns:
                self._this_session[_exact_subject(request)] = self.mode
            case Decision.SESSION:
                self._rules += [(Rule.parse(text, origin="this session"), self.mode) for text in verdict.patterns]
            case Decision.ALWAYS:
                for text in verdict.patterns:
                    self._rules.append((Rule.parse(text, origin="always"), self.mode))
                    if self._remember is not None:
                        with contextlib.suppress(OSError):  # not kept for good, but the answer holds for this session
                            self._remember(text)
            case _:
                return

    def _still_holds(self, given_in: Mode) -> bool:
        """An answer given in a lax mode says nothing in a stricter one."""
        return _STRICTNESS.index(self.mode) <= _STRICTNESS.index(given_in)

    def _answered(self, request: Request) -> bool:
        given_in = self._this_session.get(_exact_subject(request))
        return given_in is not None and self._still_holds(given_in)

    def _judge_command(self, request: Request) -> Verdict:
        reading = self.gate.read(request.command)
        rules = [rule for rule in self.rules() if rule.tool == request.tool]
        for rule in rules:
            if rule.effect is Effect.DENY and _speaks(rule, reading):
                return _block(_named(rule), f"is denied by {rule.origin}")
        loud = reading.loud
        unproven = reading.reads_only
        if self.mode is Mode.PLAN and (unproven or loud is not None):
            return _block("plan mode", f"does more than read: {unproven or 'it may destroy something'}")
        if loud is not None:
            return Verdict(decision=Ruling.ASK_LOUD, rule="loud", why=loud.why, confirm=loud.confirm)
        if self._answered(request):
            return _allow("this call", "allowed for this session")
        covering = [_last(rules, part) for part in reading.parts]
        asking = next(
            (rule for rule in (*covering, *_asking(rules, reading)) if rule and rule.effect is Effect.ASK), None
        )
        if asking is not None:
            return _ask(_named(asking), f"asked for by {asking.origin}")
        if reading.shows_ruled:
            return _ask(READ_RULES, reading.shows_ruled)
        if not unproven:
            return _allow("commands that read", "only reads, inside the workspace")
        if (everything := _everything(rules)) is not None:
            return _allow(_named(everything), f"allowed by {everything.origin}")
        open_parts = [
            part
            for part, rule in zip(reading.parts, covering, strict=True)
            if part.why and (rule is None or part.why_not_ruled)
        ]
        used = next(
            (rule for part, rule in zip(reading.parts, covering, strict=True) if rule is not None and part.why), None
        )
        if not reading.problems and not open_parts and used is not None:
            return _allow(_named(used), f"allowed by {used.origin}")
        if self.mode is Mode.AUTO:
            return _allow("auto mode", "runs in the sandbox")
        return _ask("commands ask", unproven, _offered(request.tool, reading, open_parts))

    def _judge_host(self, request: Request) -> Verdict:
        rules = [rule for rule in self.rules() if rule.tool == request.tool and covers_host(rule.pattern, request.host)]
        denying = next((rule for rule in rules if rule.effect is Effect.DENY), None)
        if denying is not None:
            return _block(_named(denying), f"is denied by {denying.origin}")
        if self._answered(request):
            return _allow("this call", "allowed for this session")
        match rules[-1:]:
            case [Rule(effect=Effect.ALLOW) as rule]:
                return _allow(_named(rule), f"allowed by {rule.origin}")
            case [rule]:
                return _ask(_named(rule), f"asked for by {rule.origin}")
            case _:
                why = f"fetches from {request.host}"
                shown = look_alike(request.host)
                offered = (f"{request.tool}:{request.host}",)
                return _ask("fetching asks", f"{why}, {shown}" if shown else why, offered)

    def _judge_place(self, request: Request, place: Place) -> Verdict:
        writing = request.action is Action.WRITE
        concern = place.write_concern if writing else place.read_concern
        covering = [rule for rule in self.rules() if rule.covers_tool(request.tool) and rule.covers_place(place)]
        denying = next((rule for rule in covering if rule.effect is Effect.DENY), None)
        if denying is not None:
            return _block(_named(denying), f"is denied by {denying.origin}")
        if writing and self.mode is Mode.PLAN:
            return _block("plan mode", "would change a file")
        if self._answered(request):
            return _allow("this call", "allowed for this session")
        last = covering[-1] if covering else None
        if last is not None and last.effect is Effect.ASK:
            return _ask(_named(last), f"asked for by {last.origin}")
        if concern is not None and concern[0] is Concern.ASKED and last is not None:
            concern = None  # a later rule lets this tool read it
        if concern is not None:
            if last is not None and last.pattern == place.shown and not has_wildcards(last.pattern):
                return _allow(_named(last), f"allowed by {last.origin}")
            kind, why = concern
            return _ask(_CONCERNS.get(kind, READ_RULES), why)
        if not writing and place.readable:
            return _allow("reads inside", "reads inside the workspace")
        if last is not None:
            return _allow(_named(last), f"allowed by {last.origin}")
        if writing and place.inside and self.mode in (Mode.ACCEPT_EDITS, Mode.AUTO):
            return _allow(f"{self.mode} mode", "changes a file inside the workspace")
        offered = _offered_path(request.tool, place)
        if not place.inside:
            return _ask("outside asks", "is outside the workspace", offered)
        return _ask("changes ask", "changes a file", offered)


def _named(rule: Rule) -> str:
    """A rule as it is told to people: what it says and where it stands."""
    return f"{rule.effect} {rule}" if rule.effect is not Effect.ALLOW else str(rule)


def _allow(rule: str, why: str) -> Verdict:
    return Verdict(decision=Ruling.ALLOW, rule=rule, why=why)


def _ask(rule: str, why: str, patterns: tuple[str, ...] = ()) -> Verdict:
    return Verdict(decision=Ruling.ASK, rule=rule, why=why, patterns=patterns)


def _block(rule: str, why: str) -> Verdict:
    return Verdict(decision=Ruling.BLOCK, rule=rule, why=why)


def _exact_subject(request: Request) -> tuple[str, ...]:
    return (request.tool, request.command, request.host, *(str(place.real) for place in request.places))


def _speaks(rule: Rule, reading: LineReading) -> bool:
    """Whether a denying or asking rule speaks of any command of a line."""
    return rule.pattern in ("*", EVERYTHING) or any(names(rule.pattern, words) for words in reading.layers)


def _last(rules: Sequence[Rule], part: Part) -> Rule | None:
    """The last rule that covers one command."""
    found: Rule | None = None
    for rule in rules:
        if part.words is None or part.keyword:
            continue
        if rule.effect is Effect.ALLOW and not part.why_not_ruled and rule.pattern != EVERYTHING:
            found = rule if allows(rule.pattern, part.words) else found
        elif rule.effect is Effect.ASK and names(rule.pattern, part.words):
            found = rule
    return found


def _asking(rules: Sequence[Rule], reading: LineReading) -> list[Rule]:
    """Rules that ask about a command which no later rule allows, wherever it stands in the line."""
    seen = {part.words for part in reading.parts}
    hidden = [words for words in reading.layers if words not in seen]
    return [rule for rule in rules if rule.effect is Effect.ASK and any(names(rule.pattern, words) for words in hidden)]


def _everything(rules: Sequence[Rule]) -> Rule | None:
    return next((rule for rule in rules if rule.effect is Effect.ALLOW and rule.pattern == EVERYTHING), None)


def _offered(tool: str, reading: LineReading, parts: Sequence[Part]) -> tuple[str, ...]:
    """A pattern for each command that is not covered yet; none at all when one of them can have none."""
    if reading.problems:
        return ()
    patterns: list[str] = []
    for part in parts:
        pattern = None if part.words is None or part.why_not_ruled or part.keyword else offered_pattern(part.words)
        if pattern is None:
            return ()
        patterns.append(f"{tool}:{pattern}")
    return tuple(dict.fromkeys(patterns))


def _offered_path(tool: str, place: Place) -> tuple[str, ...]:
    """Inside: the folder of the file, with all below it (the file alone at the top). Outside: the file alone."""
    if has_wildcards(place.shown):
        return ()
    folder, slash, _ = place.shown.rpartition("/")
    return (f"{tool}:{folder}/**" if place.inside and slash else f"{tool}:{place.shown}",)
