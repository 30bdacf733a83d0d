"""Tables of the settings that stand by themselves; what a table may hold, and what it means."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ..tools.rules import Rule
from .engine.budget_events import UnknownPrice
from .engine.verify_events import DEFAULT_ROUNDS, DEFAULT_TIMEOUT_S, MAX_ROUNDS

LogLevel = Literal["debug", "info", "warning", "error", "off"]


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Rate = Annotated[Decimal, Field(ge=0)]
Amount = Annotated[Decimal, Field(gt=0)]


class PriceTable(BaseModel):
    """``[pricing."MODEL"]``: USD for a million tokens."""

    model_config = ConfigDict(frozen=True)

    input_per_mtok: Rate
    output_per_mtok: Rate
    cache_read_per_mtok: Rate | None = None
    cache_write_per_mtok: Rate | None = None


class PolicyTable(BaseModel):
    """``[policy]``: what tools may do without asking, and what they may never do."""

    model_config = ConfigDict(frozen=True)

    allow: Words = ()
    deny: Words = ()

    @field_validator("allow", "deny")
    @classmethod
    def _are_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Rule.parse(rule, origin="settings")) for rule in rules)


class SandboxTable(BaseModel):
    """``[sandbox]``: what commands are kept from."""

    model_config = ConfigDict(frozen=True)

    enabled: bool = True
    network: bool = False
    """Whether commands may use the network."""
    writable: Words = ()
    """Folders besides the workspace that commands may write to; ``~`` is the home folder."""


class SessionsTable(BaseModel):
    """``[sessions]``: how long sessions are kept. What they cost stays in the ledger for ever."""

    model_config = ConfigDict(frozen=True)

    keep_days: int = Field(default=0, ge=0)
    """Days after its last prompt that a session is purged; 0 never."""
    keep_removed_days: int = Field(default=30, ge=0)
    """Days that a removed session can be restored; 0 for ever."""
    compact_after_days: int = Field(default=7, ge=0)
    """Days after its last prompt that a session is compacted on disk; 0 never."""


class BudgetTable(BaseModel):
    """``[budget]``: what may be spent, in USD."""

    model_config = ConfigDict(frozen=True)

    session: Amount | None = None
    day: Amount | None = None
    """Of the local calendar, all sessions together; so is ``month``."""
    month: Amount | None = None
    ask_above: Amount | None = None
    """A request that will probably cost more is asked for first."""
    warn_at: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.8")
    """The share of a limit from which on a warning is given."""
    unknown_price: UnknownPrice = UnknownPrice.ALLOW
    """What is done with models whose price is unknown: they cannot be counted."""


class VerifyTable(BaseModel):
    """``[verify]``: how the project is checked."""

    model_config = ConfigDict(frozen=True)

    checks: Words = ()
    """Command lines; none: what is found in the project's files."""
    rounds: Annotated[int, Field(ge=0, le=MAX_ROUNDS)] = DEFAULT_ROUNDS
    """How often the model is asked to mend what fails."""
    timeout: Annotated[int, Field(ge=1, le=DEFAULT_TIMEOUT_S)] = DEFAULT_TIMEOUT_S
    """Seconds one check may take."""
    auto: bool = False
    """Check after each turn that changed files."""

    @field_validator("checks")
    @classmethod
    def _are_commands(cls, checks: tuple[str, ...]) -> tuple[str, ...]:
        if any(not check.strip() or "\0" in check for check in checks):
            raise ValueError('a check is a command line, such as "make test", and none may be empty')
        return checks


class TelemetryTable(BaseModel):
    """``[telemetry]``: traces and metrics for a collector of the person's own. Off unless asked for."""

    model_config = ConfigDict(frozen=True)

    enabled: bool | None = None
    """None: when an address is given here."""
    otlp_endpoint: str | None = None
    """Base address of an OTLP/HTTP collector, such as ``http://127.0.0.1:4318``."""
    content: bool = False
    """Whether prompts, answers and tool texts are sent along."""

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", address) is None:
            raise ValueError("it must be an address such as http://127.0.0.1:4318")
        return address
