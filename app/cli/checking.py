"""What a verification runs in a folder, from the settings."""

from pathlib import Path

from ..engine.verify import VerifyRules
from ..engine.verify_events import Check
from ..settings import Settings


def verify_rules(settings: Settings, folder: Path) -> VerifyRules:
    """The configured checks; where there are none, those that the project's files name when they are needed."""
    table = settings.verify

    def find() -> tuple[Check, ...]:
        from ..checks import configured_checks, find_checks  # not before there is something to verify

        return configured_checks(table.checks) or find_checks(folder)

    return VerifyRules(find=find, rounds=table.rounds, timeout_s=table.timeout, auto=table.auto)
