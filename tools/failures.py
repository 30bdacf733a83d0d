"""The one way a tool says that it could not do what was asked."""

from .events import Outcome


class ToolFailure(Exception):
    """Ends a tool run. The message goes to the model: short, with the cause and what to do instead."""

    def __init__(self, message: str, *, outcome: Outcome = Outcome.ERROR, summary: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.outcome = outcome
        self.summary = summary
