"""What goes along with a prompt: the mentions in it, read through the tools' own doors."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence

from ...providers.base import ModelInfo
from ...tools.attaching import Added, AddedKind
from ...tools.bounds import clipped
from ...tools.for_person import ForPerson
from ...tools.workspace import Place
from ..engine.attached import Gathered
from ..engine.events import Attachment, AttachmentKind
from ..engine.mentions import Mention, Reading, find_mentions

MOST_BYTES = 300_000
"""Text that goes along with one prompt, when nothing is known of the model's window."""
_LEAST_BYTES = 600
_FILE_NAME = re.compile(
    r".*\.(?:bash|cc?|cfg|cpp|cs|css|csv|dart|exs?|gif|go|h|hpp|html?|ini|ipynb|java|jpe?g|jsx?|json|kt|lock|lua|md|mjs"
    r"|php|png|proto|pyi?|rb|rs|rst|scala|sh|sql|svelte|swift|tcss|tex|toml|tsx?|txt|vue|webp|xml|ya?ml|zig)"
    r"(?::\d[\d-]*)?",
    re.IGNORECASE | re.DOTALL,
)
"""What is certainly meant as the name of a file, lines of it or not: ``@app.route`` is not."""
_SHOWN = 200
"""Characters of a name that is not there."""


class PersonAttaching:
    """Gathers what the mentions of a prompt name, within what the model's window can take."""

    def __init__(self, person: ForPerson, pasted: Callable[[Mention], Added | str | None] | None = None) -> None:
        """``pasted`` knows what came from the clipboard: the image, or why it is gone, or None."""
        self._person = person
        self._pasted = pasted

    async def gather(self, text: str, model: ModelInfo | None) -> Gathered:
        """What goes along with ``text``, and what the person should know. The text itself is never changed."""
        budget = most_bytes(model)
        added: list[Added] = []
        remarks: list[str] = []
        seen: set[tuple[str, int | None, int | None]] = set()
        for mention in find_mentions(text):
            if (pasted := await self._from_clipboard(mention)) is not None:
                if isinstance(pasted, str):
                    remarks.append(pasted)
                elif pasted not in added:
                    added.append(pasted)
                continue
            found = await asyncio.to_thread(self._found, mention)
            if found is None:
                remarks += await asyncio.to_thread(self._missing, text, mention)
                continue
            place, reading = found
            key = (str(place.real), reading.first, reading.last)
            if key in seen:
                continue
            seen.add(key)
            if budget < _LEAST_BYTES:
                remarks.append(f"{place.shown} was not added: the files before it fill what goes along with a prompt.")
                continue
            lines = None if reading.first is None else (reading.first, reading.last)
            one, problem = await self._person.add(place, lines=lines, limit=budget)
            if one is None:
                remarks.append(problem)
                continue
            added.append(one)
            budget -= len(one.text.encode("utf-8", "replace"))
            if one.remark:
                remarks.append(f"{one.source}: {one.remark}.")
        remarks += blindness(added, model)
        return Gathered(attachments=tuple(map(as_attachment, added)), remarks=tuple(remarks))

    async def files(self) -> Sequence[str]:
        """The names that can be mentioned."""
        return await self._person.files()

    async def _from_clipboard(self, mention: Mention) -> Added | str | None:
        return None if self._pasted is None else await asyncio.to_thread(self._pasted, mention)

    def _found(self, mention: Mention) -> tuple[Place, Reading] | None:
        """The first way to read a mention that names something."""
        for reading in mention.readings:
            place = self._person.find(reading.path)
            if place is not None and not (place.folder and reading.first is not None):
                return place, reading
        return None

    def _missing(self, text: str, mention: Mention) -> Iterator[str]:
        """What stands in the way; that there is no such file is said only of what cannot be anything but a path."""
        if why := next(filter(None, (self._person.obstacle(each.path) for each in mention.readings)), ""):
            yield why
            return
        reading = mention.readings[-1]
        top, slash, _ = reading.path.partition("/")
        in_folder = bool(slash) and (top in ("", ".", "..", "~") or self._person.find(top) is not None)
        folder = slash and reading.path.endswith("/")
        if mention.deliberate or in_folder or folder or _FILE_NAME.fullmatch(reading.path):
            named = clipped(text[mention.start + 1 : mention.end], _SHOWN)
            yield f"There is no {named}: it was sent as text, and no file with it."


def most_bytes(model: ModelInfo | None) -> int:
    """Bytes of text that may go along with one prompt: about a third of the window where it is known."""
    window = None if model is None else model.context_window
    return MOST_BYTES if window is None else min(MOST_BYTES, window)


def blindness(added: Sequence[Added], model: ModelInfo | None) -> list[str]:
    """What has to be said when images go to a model that may not see them."""
    images = [one.source for one in added if one.kind is AddedKind.IMAGE]
    if not images or model is None or model.vision:
        return []
    names = ", ".join(images)
    if model.vision is False:
        return [f"{model.ref} does not see images: {names} stays in the session, and a model that does will get it."]
    return [f"Nobody knows whether {model.ref} sees images: {names} goes along."]


def as_attachment(added: Added) -> Attachment:
    """What was added, as the session keeps it."""
    return Attachment(
        kind=AttachmentKind(added.kind.value),
        source=added.source,
        text=added.text,
        media_type=added.media_type,
        data_base64=added.data_base64,
        first_line=added.first_line,
        last_line=added.last_line,
        digest=added.digest,
    )
