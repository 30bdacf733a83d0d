"""The person's choice of how much runs unasked."""

from ...tools.base import Mode
from ..engine.session import Session

_MEANS = {
    Mode.PLAN: "the model may look and change nothing",
    Mode.ASK: "changes and commands ask first",
    Mode.ACCEPT_EDITS: "edits inside the folder run unasked, commands ask",
    Mode.AUTO: "edits and commands run unasked, inside the sandbox",
}


def choose_mode(session: Session, word: str = "") -> str:
    """Select the mode of that name, or without one the next that can be had. Returns what to tell the person."""
    if word:
        try:
            mode = Mode(word.strip().lower().replace(" ", "-"))
        except ValueError:
            return f"There is no mode {word!r}. There are: {', '.join(Mode)}"
        problem = session.select_mode(mode)
        return f"Mode {mode} cannot be chosen: {problem}" if problem else _said(mode)
    modes = list(Mode)
    place = modes.index(session.state.mode)
    refused = ""
    for mode in (*modes[place + 1 :], *modes[:place]):
        problem = session.select_mode(mode)
        if not problem:
            return _said(mode) + refused
        refused += f"  ({mode} cannot be chosen: {problem})"
    return refused.strip()


def _said(mode: Mode) -> str:
    return f"Mode: {mode} - {_MEANS[mode]}"
