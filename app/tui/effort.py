"""The person's choice of how long models are to think."""

from ...providers.messages import Effort
from ..engine.session import Session


def choose_effort(session: Session, word: str = "") -> str:
    """Select the effort of that name, or without one the next of the scale. Returns what to tell the person."""
    try:
        effort = Effort(word.lower()) if word else session.state.effort.next
    except ValueError:
        return f"There is no effort {word!r}. There are: {', '.join(Effort)}"
    session.select_effort(effort)
    model = session.state.model
    if model is not None and model.thinking is False and effort is not Effort.DEFAULT:
        return f"Thinking effort: {effort}, for models that think. {model.ref.model} does not."
    return f"Thinking effort: {effort}" + (", the provider's own choice" if effort is Effort.DEFAULT else "")
