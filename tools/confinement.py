"""What tools may do in a folder that nobody has vouched for, beyond what the policy says.

A rule that lets ``pytest`` run unasked was written for the person's own projects. In somebody else's folder the
same command runs somebody else's code, so there rules do not count: only what was said about this very session.
"""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from .base import Mode
from .events import Decision
from .policy import Action, Request, Ruling, Verdict


class Trust(StrEnum):
    """How far the folder is trusted."""

    FULL = "full"
    """The policy alone decides."""
    FIRST_ASKS = "first asks"
    """Nothing is known of the folder: the first command asks, whatever the rules say."""
    NONE = "none"
    """Every command and every change asks."""


class Confinement:
    """Sets rules aside where the folder is not trusted. ``given`` are rules that a person gave for this very run."""

    def __init__(self, trust: Trust = Trust.FULL, *, given: Iterable[str] = ()) -> None:
        self.trust = trust
        self._given = frozenset(given)
        self._started = False
        self._this_session: set[tuple[str, ...]] = set()

    @property
    def may_start_programs(self) -> bool:
        """Whether a tool that only reads may start a program in the folder (git, to list files)."""
        return self.trust is Trust.FULL or (self.trust is Trust.FIRST_ASKS and self._started)

    def refuses(self, mode: Mode) -> str:
        """Why a mode cannot be chosen; empty when it can."""
        if self.trust is Trust.NONE and mode in (Mode.ACCEPT_EDITS, Mode.AUTO):
            return "this folder is not trusted: every command and change asks (/trust to change that)"
        return ""

    def judge(self, request: Request, verdict: Verdict) -> Verdict:
        """The policy's verdict, or a question in place of a permission. Never allows what the policy does not."""
        if self.trust is Trust.NONE and request.action is not Action.READ:
            verdict = replace(verdict, patterns=())  # "always" would be kept for a folder where it does not count
        if verdict.decision is not Ruling.ALLOW or not self._confines(request) or verdict.rule in self._given:
            return verdict
        if self.trust is Trust.NONE:
            return replace(
                verdict, decision=Ruling.ASK, rule="untrusted folder", why="asks, as this folder is not trusted"
            )
        return replace(
            verdict,
            decision=Ruling.ASK,
            rule="first command",
            why="is the first command in a folder nobody trusted yet",
        )

    def learn(self, request: Request, decision: Decision) -> None:
        """Take a person's answer into account for the calls to come."""
        if decision is Decision.DENY:
            return
        self._started = self._started or request.action is Action.RUN
        if decision is Decision.SESSION:
            self._this_session.add(_subject(request))

    def _confines(self, request: Request) -> bool:
        match self.trust:
            case Trust.FULL:
                return False
            case Trust.FIRST_ASKS:
                return request.action is Action.RUN and not self._started
            case Trust.NONE:
                return request.action not in (Action.READ, Action.NOTE) and _subject(request) not in self._this_session


def _subject(request: Request) -> tuple[str, ...]:
    return (request.tool, request.command, request.host, *(str(place.real) for place in request.places))
