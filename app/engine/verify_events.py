"""What happens while the project's checks are run; a part of the session's vocabulary (``events``)."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_ROUNDS = 3
MAX_ROUNDS = 50
DEFAULT_TIMEOUT_S = 600
"""Seconds; also the most that the tool takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the project's checks: a command line whose exit status 0 means that all is well."""

    name: str
    """What it checks, in a word: ``tests``, ``ruff``."""
    command: str
    origin: str
    """Where it comes from: ``settings``, or the file that was found."""


class CheckOutcome(StrEnum):
    """How one run of a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    DENIED = "denied"
    """The person, or a rule, did not let it run."""
    MISSING = "missing"
    """Its program is not installed here."""
    CANCELLED = "cancelled"


class VerifyOutcome(StrEnum):
    """Why a verification ended."""

    GREEN = "green"
    RED = "red"
    """Checks fail, and the model was not to be asked."""
    ROUND_LIMIT = "round_limit"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    TURN_FAILED = "turn_failed"
    """The model's turn ended badly: there is nothing new to check."""
    INCOMPLETE = "incomplete"
    """What ran passes, but not every check could be run."""
    NO_CHECKS = "no_checks"
    INTERRUPTED = "interrupted"
    """The application died meanwhile; found at resume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyStarted:
    """The project's checks are about to run; the model is asked up to ``rounds`` times to mend what fails."""

    verify_id: str
    checks: tuple[Check, ...]
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted:
    """Check ``index`` begins. Its output is that of tool run ``run_id``."""

    verify_id: str
    index: int
    round: int
    """How often the model was asked before."""
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinished:
    """Check ``index`` ended."""

    verify_id: str
    index: int
    round: int
    outcome: CheckOutcome
    summary: str
    """How, in a few words: ``exit 1``."""
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEnded:
    """The verification is over."""

    verify_id: str
    outcome: VerifyOutcome
    rounds: int
    """How often the model was asked."""
    message: str
    """How it went, for people."""
