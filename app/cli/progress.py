"""Tells a person, line by line, what a run without a screen is doing."""

from typing import TextIO

from ...providers.events import Notice, ResponseEnd, ResponseError, TextDelta
from ...providers.redact import redact_registered
from ...tools.events import FileChanged, Outcome, ToolRunFinished, ToolRunStarted
from ...tools.safe_text import safe_line, safe_text
from ..engine.compaction_events import Compacted
from ..engine.compaction_words import compaction_line
from ..engine.events import NoticePosted, PromptSubmitted, ProviderActivity, RequestStarted, Stamped, ToolActivity

_SIGNS = {
    Outcome.OK: "ok",
    Outcome.ERROR: "failed",
    Outcome.DENIED: "denied",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMEOUT: "timed out",
    Outcome.INTERRUPTED: "interrupted",
}


class Progress:
    """Attach it to the bus. ``transcript`` also prints the prompt and every answer, not only what lies between."""

    def __init__(self, out: TextIO, *, transcript: bool = False) -> None:
        self._out = out
        self._transcript = transcript
        self._titles: dict[str, str] = {}
        self._answer: list[str] = []

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case PromptSubmitted(text=text) if self._transcript:
                self._say(f"> {safe_text(text)}\n")
            case RequestStarted(ref=ref):
                self._answer.clear()
                self._say(f"-- {safe_line(str(ref))}")
            case ProviderActivity(event=TextDelta(text=text)):
                self._answer.append(text)
            case ProviderActivity(event=ResponseEnd() | ResponseError()) if self._transcript:
                self._show_answer()
            case ProviderActivity(event=Notice(message=message)) | NoticePosted(message=message):
                self._say(f"   note: {safe_line(message)}")
            case Compacted() as event:
                self._say(f"   note: {safe_line(compaction_line(event))}")
            case ToolActivity(event=ToolRunStarted(run_id=run_id, name=name, title=title)):
                self._titles[run_id] = f"{name} {safe_line(title)}"
            case ToolActivity(event=FileChanged(path=path)):
                self._say(f"   changed: {safe_line(path)}")
            case ToolActivity(event=ToolRunFinished() as finished):
                self._finished(finished)
            case _:
                pass

    def _show_answer(self) -> None:
        text = safe_text("".join(self._answer)).strip()
        if text:
            self._say(f"\n{text}\n")

    def _finished(self, run: ToolRunFinished) -> None:
        title = self._titles.pop(run.run_id, "a tool")
        summary = "" if run.outcome is Outcome.DENIED else f" - {safe_line(run.summary)}"
        hint = " (no one can be asked here: allow it with --allow)" if run.outcome is Outcome.DENIED else ""
        self._say(f"   {_SIGNS[run.outcome]}: {title}{summary}{hint}")

    def _say(self, line: str) -> None:
        self._out.write(f"{redact_registered(line)}\n")
        self._out.flush()
