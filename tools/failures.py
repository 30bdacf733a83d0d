"""The one way a tool says that it could not do what was asked."""

from .events import Outcome


class ToolFailure(Exception):
    """Ends a tool run. The message goes to the model: short, with the cause and what to do instead.

    ``kind`` is for programs: one word of ``parse, bad_arguments, unknown_tool, file_missing, is_directory, binary,
    encoding, not_read, stale, not_found, ambiguous, empty_old, no_change, exists, read_only,
    outside, refused, denied, failed``.
    ``summary`` is for the tool log and says the same when it is not given.
    """

    def __init__(
        self, message: str, *, outcome: Outcome = Outcome.ERROR, kind: str = "failed", summary: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.outcome = outcome
        self.kind = kind
        self.summary = summary or kind.replace("_", " ")
