"""What the search index holds of a session: its prompts and its whole answers, gathered from the events."""

from collections.abc import Iterator

from ...providers.events import TextDelta, TextEnd
from .events import PromptSubmitted, ProviderActivity, Stamped


class SearchableTexts:
    """Takes the events of one session in order and gives the texts to index."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], list[str]] = {}

    def of(self, stamped: Stamped) -> Iterator[tuple[int, str, str]]:
        """The texts that are whole with this event: seq, kind (``prompt`` or ``answer``) and text."""
        match stamped.event:
            case PromptSubmitted(text=text):
                yield stamped.seq, "prompt", storable(text)
            case ProviderActivity(request_id=request, event=TextDelta(index=index, text=text)):
                self._open.setdefault((request, index), []).append(text)
            case ProviderActivity(request_id=request, event=TextEnd(index=index)):
                text = "".join(self._open.pop((request, index), ()))
                if text.strip():
                    yield stamped.seq, "answer", storable(text)
            case _:
                return


def storable(text: str) -> str:
    """The text with ``?`` for every lone surrogate, which SQLite cannot store."""
    return text.encode("utf-8", "replace").decode()
