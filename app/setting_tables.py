"""Tables of the settings that stand by themselves: the project's checks, and what is told to a collector."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from .engine.verify_events import DEFAULT_ROUNDS, DEFAULT_TIMEOUT_S, MAX_ROUNDS

LogLevel = Literal["debug", "info", "warning", "error", "off"]


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]


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
