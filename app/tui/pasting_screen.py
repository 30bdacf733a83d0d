"""Images from the clipboard: read in a thread, then named in the prompt, where they can be seen and deleted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual.app import App

from ..engine.events import Attachment
from ..engine.state import PromptEntry
from .control import Preferences
from .pasting import Pasted, PasteError, Pasting
from .restoring_screen import RestoringScreen
from .widgets.prompt import Prompt

if TYPE_CHECKING:
    from .widgets.rewind import RewindChoice

_SHOWN_S = 10.0


class PastingScreen(RestoringScreen):
    """A screen whose prompt takes images from the clipboard."""

    _preferences: Preferences
    _last_pasted: tuple[str, str] = ("", "")
    """The newest mention of an image, and what the application's own clipboard held then."""

    def action_paste_image(self) -> None:
        """Put the image on the clipboard into the prompt."""
        self._prompt.focus()
        self._prompt.want_image()

    def paste_beside(self, words: str) -> None:
        """The same, before these words."""
        prompt = self._prompt
        if words:
            prompt.replace_all(words)
            prompt.move_cursor((0, 0))
        self.action_paste_image()

    def on_prompt_image_wanted(self, event: Prompt.ImageWanted) -> None:
        """Look at the clipboard without holding the screen up."""
        self.run_worker(self._paste(or_text=event.or_text), group="paste")

    async def _paste(self, *, or_text: bool) -> None:
        """Answer the prompt, whatever happens: it waits."""
        own = cast("App[object]", self.app).clipboard if or_text else ""
        try:
            pasted = await self._image()
        except PasteError as error:
            if not own:
                self.notify(str(error), severity="warning", timeout=_SHOWN_S, markup=False)
            self._prompt.end_paste(own)
            return
        mention, before = self._last_pasted
        if own and own != before and mention == pasted.mention:  # the text was cut or copied after that image
            self._prompt.end_paste(own)
            return
        self._last_pasted = (pasted.mention, cast("App[object]", self.app).clipboard)
        self._prompt.end_paste(pasted.mention, mention=True)
        severity = "warning" if pasted.concern else "information"
        said = "\n".join(filter(None, (pasted.said, pasted.concern)))
        self.notify(said, severity=severity, timeout=_SHOWN_S if pasted.concern else 3.0, markup=False)

    async def _image(self) -> Pasted:
        pasting = self._pasting
        if pasting is None:
            raise PasteError("Images cannot be pasted here.")
        try:
            return await pasting.paste(self._session.state.model)
        except PasteError:
            raise
        except Exception as error:  # a fault in it must not keep the prompt waiting
            raise PasteError(f"The clipboard was not read: {type(error).__name__}: {error}") from error

    async def _rewind(self, choice: "RewindChoice") -> None:
        prompts = (entry for entry in self._session.state.transcript if isinstance(entry, PromptEntry))
        rewound = next((entry for entry in prompts if entry.prompt_id == choice.prompt_id), None)
        self._keep_images(() if rewound is None else rewound.attachments)
        await super()._rewind(choice)

    @property
    def _pasting(self) -> Pasting | None:
        return self._preferences.pasting

    def _keep_images(self, attachments: Iterable[Attachment]) -> None:
        """Images of prompts that come back into the prompt can be sent again."""
        if (pasting := self._pasting) is not None:
            self.run_worker(pasting.keep(tuple(attachments)), group="keep-images")
