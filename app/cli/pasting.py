"""Images from the clipboard: taken, kept, and given back where a prompt names them."""

import asyncio
import base64
import contextlib
from collections.abc import Iterable, Mapping

from ...providers.base import ModelInfo
from ...tools.attaching import Added, AddedKind
from ..clipboard import ClipboardError, read_clipboard_image
from ..engine.attached import attachment_line
from ..engine.events import Attachment, AttachmentKind
from ..engine.mentions import PASTED_NAME, Mention, mention_of
from ..pasted_images import PastedImage, PastedImages
from ..tui.pasting import Pasted, PasteError
from .attaching import as_attachment, blindness


class ClipboardPasting:
    """The clipboard of the machine that this process runs on (``Pasting``)."""

    def __init__(self, images: PastedImages, environ: Mapping[str, str], platform: str) -> None:
        """``platform`` is as in ``sys.platform``."""
        self._images = images
        self._environ = environ
        self._platform = platform

    async def paste(self, model: ModelInfo | None) -> Pasted:
        """Take the image there is, and keep it. Raises ``PasteError``."""
        image = await asyncio.to_thread(self._take)
        added = as_added(image)
        _, size = attachment_line(as_attachment(added))
        return Pasted(
            mention=mention_of(image.name),
            said=f"From the clipboard: {size}.",
            concern=" ".join(blindness([added], model)),
        )

    async def keep(self, attachments: Iterable[Attachment]) -> None:
        """Keep the pasted images among what went along with a prompt that is written anew. Never raises."""
        pasted = [(each.source, each.data_base64) for each in attachments if each.kind is AttachmentKind.IMAGE]
        if pasted:
            await asyncio.to_thread(keep_sent, self._images, pasted)

    def _take(self) -> PastedImage:
        try:
            return self._images.keep(read_clipboard_image(self._environ, self._platform).data)
        except ClipboardError as error:
            raise PasteError(str(error)) from None
        except OSError as error:
            why = (
                f"The image cannot be kept in {self._images.folder} ({error.strerror or error}). Name its file (@file)."
            )
            raise PasteError(why) from None


def keep_sent(images: PastedImages, sent: Iterable[tuple[str, str]]) -> None:
    """Keep pasted images (name and base64) as files again, from a journal. What cannot be kept is left out."""
    for name, data in sent:
        if PASTED_NAME.fullmatch(name) is not None:
            with contextlib.suppress(OSError, ValueError):
                images.keep(base64.b64decode(data, validate=True))


def find_pasted(images: PastedImages, mention: Mention) -> Added | str | None:
    """The image from the clipboard that a mention means; why it is gone, in words; None when it means none."""
    names = [reading.path for reading in mention.readings if PASTED_NAME.fullmatch(reading.path) is not None]
    found = next((image for name in names if (image := images.find(name)) is not None), None)
    if found is not None:
        return as_added(found)
    return f"{names[0]} is no longer kept: paste the image again." if names else None


def as_added(image: PastedImage) -> Added:
    """A pasted image as what goes along with a prompt."""
    return Added(
        kind=AddedKind.IMAGE,
        source=image.name,
        media_type=image.media_type,
        data_base64=base64.b64encode(image.data).decode("ascii"),
        digest=image.digest,
    )
