"""What a verification runs in a folder, from the settings."""

from pathlib import Path

from ..checks import configured_checks, find_checks
from ..engine.verify import VerifyRules
from ..settings import Settings


def verify_rules(settings: Settings, folder: Path) -> VerifyRules:
    """The configured checks; where there are none, those that the project's files name when they are needed."""
    table = settings.verify
    configured = configured_checks(table.checks)
    return VerifyRules(
        find=lambda: configured or find_checks(folder),
        rounds=table.rounds,
        timeout_s=table.timeout,
        auto=table.auto,
    )
