"""What the search index holds of a session: its prompts and what models answered, gathered from the events."""

from collections.abc import Iterator

from ...providers.events import ResponseEnd, ResponseError, TextDelta, TextEnd
from .events import PromptSubmitted, ProviderActivity, Stamped
from .state import AnswerEntry, TextPart


class SearchableTexts:
    """Takes the events of one session in order and gives the texts to index."""

    def __init__(self, answer: AnswerEntry | None = None) -> None:
        """``answer`` is the one that was arriving when the process of a resumed session died."""
        self._open: dict[str, dict[int, list[str]]] = {}
        if answer is not None:
            texts = (each for each in answer.parts if isinstance(each, TextPart) and not each.closed)
            self._open[answer.request_id] = {each.index: [str(each.text)] for each in texts}

    def of(self, stamped: Stamped) -> Iterator[tuple[int, str, str]]:
        """The texts that end with this event: seq, kind (``prompt`` or ``answer``) and text.

        An answer that breaks off is found by what came of it.
        """
        match stamped.event:
            case PromptSubmitted(text=text):
                yield stamped.seq, "prompt", storable(text)
            case ProviderActivity(request_id=request, event=TextDelta(index=index, text=text)):
                self._open.setdefault(request, {}).setdefault(index, []).append(text)
            case ProviderActivity(request_id=request, event=TextEnd(index=index)):
                yield from _answered(stamped, self._open.get(request, {}).pop(index, []))
            case ProviderActivity(request_id=request, event=ResponseEnd() | ResponseError()):
                for pieces in self._open.pop(request, {}).values():
                    yield from _answered(stamped, pieces)
            case _:
                return


def _answered(stamped: Stamped, pieces: list[str]) -> Iterator[tuple[int, str, str]]:
    text = "".join(pieces)
    if text.strip():
        yield stamped.seq, "answer", storable(text)


def storable(text: str) -> str:
    """The text with ``?`` for every lone surrogate, which SQLite cannot store."""
    return text.encode("utf-8", "replace").decode()
