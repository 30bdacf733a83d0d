"""What a folder's standing decides: how far tools are confined, and which instructions the model gets."""

from collections.abc import Callable, Mapping

from ..engine.events import NoticeLevel
from ..engine.session import Session
from ..instructions import gather_instructions
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
