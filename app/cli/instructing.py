"""What a folder's standing decides: how far tools are confined, and which instructions the model gets."""

import sys
from collections.abc import Callable, Mapping

from ...tools.safe_text import safe_line
from ..engine.events import NoticeLevel
from ..engine.session import Session
from ..instructions import gather_instructions, withheld_names
from ..paths import find_paths
from ..trust import FolderTrust
from .trust import home_of


def follow_trust(
    session: Session, trust: FolderTrust | None, environ: Mapping[str, str], *, confine: Callable[[], None]
) -> None:
    """Give the session the instructions that count, now and whenever the person says otherwise of the folder."""

    def instruct() -> None:
        found = gather_instructions(trust, find_paths(environ).config_file.parent, home_of(environ))
        if session.instruct(found.files):
            for problem in found.problems:
                session.notice(problem, NoticeLevel.WARNING)

    def follow() -> None:
        confine()
        instruct()

    instruct()
    if trust is not None:
        trust.on_change = follow


def tell_withheld(trust: FolderTrust | None) -> None:
    """Say on standard error which instructions do not count, for runs without a screen."""
    for name in withheld_names(trust):
        sys.stderr.write(f"   {safe_line(name)} is not used: nobody said that this folder is trusted (--trust)\n")
