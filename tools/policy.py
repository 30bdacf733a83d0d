"""Decides which calls run at once and which ask a person first, and says which rule decided.

Order: a protected or secret name asks, unless a rule names exactly this file; reading inside the workspace
runs; a rule that covers the call lets it run; everything else asks. Rules only ever allow. They are written
``tool:pattern``:

- ``edit:src/**``: a path pattern relative to the workspace (an absolute one for files outside). ``*`` alone,
  like a tool name alone, is any path inside the workspace.
- ``bash:pytest *``: the words of a command, ``*`` last for any further arguments. Only a plain command is
  ever covered: no second command, redirection, expansion or substitution. ``bash:**`` covers every command,
  for runs in a sandbox of their own.
- ``web_fetch:docs.python.org``: a host; ``web_fetch:*.python.org`` all below it, ``web_fetch:*`` every public one.
  No mode fetches unasked without such a rule: what is fetched can carry away what was read.
"""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from .base import Mode
from .events import Decision
from .patterns import PathPattern, has_wildcards
from .sensitive import Concern
from .shell_words import offered_pattern, pattern_matches, plain_words
from .web_address import covers_host, look_alike
from .workspace import Place

_RULE = re.compile(r"([a-z_]+)(?::(.+))?", re.DOTALL)


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
    """A ruling with its reason. ``pattern`` is the rule that "always" would add, None when there is none."""

    decision: Ruling
    rule: str
    why: str
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One allow rule and where it comes from, in words."""

    tool: str
    pattern: str
    origin: str

    @classmethod
    def parse(cls, text: str, *, origin: str) -> "Rule":
        """The rule written as ``tool:pattern`` or ``tool``. Raises ``ValueError`` with the cause and an example."""
        found = _RULE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a rule: write tool:pattern, like bash:pytest * or edit:src/**")
        return cls(tool=found[1], pattern=(found[2] or "*").strip(), origin=origin)

    def __str__(self) -> str:
        return f"{self.tool}:{self.pattern}"


class Policy:
    """The rules of one session. ``remember`` is called with each rule that a person wants kept for good."""

    def __init__(self, rules: Iterable[Rule] = (), *, remember: Callable[[str], None] | None = None) -> None:
        self._rules = list(rules)
        self._remember = remember
        self._this_session: set[tuple[str, ...]] = set()
        self.mode = Mode.ASK

    def rules(self) -> tuple[Rule, ...]:
        """Every allow rule in force, in the order they are tried."""
        return tuple(self._rules)

    def judge(self, request: Request) -> Verdict:
        """What to do with a call. Never raises."""
        if _exact_subject(request) in self._this_session:
            return _allow("this call", "allowed for this session")
        match request.action:
            case Action.RUN:
                return self._judge_command(request)
            case Action.FETCH:
                return self._judge_host(request)
            case Action.NOTE:
                return _allow("notes", "changes nothing outside the session")
            case Action.READ | Action.WRITE:
                verdicts = [self._judge_place(request, place) for place in request.places]
                return next((v for v in verdicts if v.decision is Ruling.ASK), verdicts[0])

    def learn(self, request: Request, verdict: Verdict, decision: Decision) -> None:
        """Take a person's answer into account for the calls to come."""
        match decision, verdict.pattern:
            case Decision.SESSION, None:
                self._this_session.add(_exact_subject(request))
            case Decision.SESSION, str(pattern):
                self._rules.append(Rule.parse(pattern, origin="this session"))
            case Decision.ALWAYS, str(pattern):
                self._rules.append(Rule.parse(pattern, origin="always"))
                if self._remember is not None:
                    with contextlib.suppress(OSError):  # not kept for good, but the answer holds for this session
                        self._remember(pattern)
            case _:
                return

    def _judge_command(self, request: Request) -> Verdict:
        words = plain_words(request.command)
        for rule in self._rules:
            if rule.tool == request.tool and (
                rule.pattern == "**" or (words is not None and pattern_matches(rule.pattern, words))
            ):
                return _allow(str(rule), f"allowed by {rule.origin}")
        if words is None:
            return _ask("commands ask", "runs a shell line that is more than one plain command", None)
        pattern = offered_pattern(words)
        return _ask("commands ask", "runs a command", f"{request.tool}:{pattern}" if pattern else None)

    def _judge_host(self, request: Request) -> Verdict:
        for rule in self._rules:
            if rule.tool == request.tool and covers_host(rule.pattern, request.host):
                return _allow(str(rule), f"allowed by {rule.origin}")
        why = f"fetches from {request.host}"
        if shown := look_alike(request.host):
            why = f"{why}, {shown}"
        return _ask("fetching asks", why, f"{request.tool}:{request.host}")

    def _judge_place(self, request: Request, place: Place) -> Verdict:
        writing = request.action is Action.WRITE
        concern = place.write_concern if writing else place.read_concern
        covering = next((rule for rule in self._rules if rule.tool == request.tool and _covers(rule, place)), None)
        if concern is not None:
            if covering is not None and covering.pattern == place.shown and not has_wildcards(covering.pattern):
                return _allow(str(covering), f"allowed by {covering.origin}")
            kind, why = concern
            return _ask("protected names ask" if kind is Concern.PROTECTED else "secrets ask", why, None)
        if not writing and place.readable:
            return _allow("reads inside", "reads inside the workspace")
        if covering is not None:
            return _allow(str(covering), f"allowed by {covering.origin}")
        pattern = _offered_path(request.tool, place)
        if not place.inside:
            return _ask("outside asks", "is outside the workspace", pattern)
        return _ask("changes ask", "changes a file", pattern)


def _allow(rule: str, why: str) -> Verdict:
    return Verdict(decision=Ruling.ALLOW, rule=rule, why=why)


def _ask(rule: str, why: str, pattern: str | None) -> Verdict:
    return Verdict(decision=Ruling.ASK, rule=rule, why=why, pattern=pattern)


def _exact_subject(request: Request) -> tuple[str, ...]:
    return (request.tool, request.command, request.host, *(str(place.real) for place in request.places))


def _covers(rule: Rule, place: Place) -> bool:
    """Whether a path rule covers a place, judged by where it really is."""
    if rule.pattern == "*":
        return place.inside
    if not place.inside and not rule.pattern.startswith("/"):
        return False
    return rule.pattern == place.shown or PathPattern(rule.pattern).matches(place.shown)


def _offered_path(tool: str, place: Place) -> str | None:
    """Inside: the folder of the file, with all below it (the file alone at the top). Outside: the file alone."""
    if has_wildcards(place.shown):
        return None
    folder, slash, _ = place.shown.rpartition("/")
    return f"{tool}:{folder}/**" if place.inside and slash else f"{tool}:{place.shown}"
