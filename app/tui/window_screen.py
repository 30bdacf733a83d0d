"""The model's window on the main screen: the meter, making room by hand, what was dropped, files that went stale."""

from ..engine.mentions import mention_of
from ..engine.sent import newest_compaction
from . import modals
from .attaching_screen import AttachingScreen
from .panes.chat import ChatPane
from .transcript.palette import Signs


class WindowScreen(AttachingScreen):
    """A screen that shows where a session's window goes."""

    _signs: Signs

    def on_app_focus(self) -> None:
        """The person comes back, perhaps from an editor."""
        self.run_worker(self._session.look_at_files(), group="files", exclusive=True)

    def action_show_context(self) -> None:
        """Where the window goes."""
        self.run_worker(self._show_context(), group="context", exclusive=True)

    async def _show_context(self) -> None:
        meter = await modals.context_meter(self._session, self._signs)
        if meter is None:
            self._warn("No model is selected: there is no window to fill yet.")
            return

        def chosen(what: str) -> None:
            match what:
                case "compact":
                    self._compact("")
                case "dropped":
                    self.action_show_dropped()
                case "refresh":
                    self.action_refresh_files()
                case _:
                    pass

        if self.is_current:  # and no other screen was opened meanwhile
            self._open(meter, chosen)

    def action_compact(self) -> None:
        """Let a summary stand for the older part."""
        self._compact("")

    def _compact(self, focus: str) -> None:
        self._warn(self._session.compact(focus))

    def action_show_dropped(self) -> None:
        """What the newest compaction took out."""
        at = newest_compaction(self._session.state.transcript)
        if at is None:
            self._warn("Nothing was dropped: the model gets the whole conversation.")
        else:
            self._open(modals.dropped(self._session.state, at, self._signs))

    def on_chat_pane_dropped_wanted(self, event: ChatPane.DroppedWanted) -> None:
        """Enter on the line of a compaction."""
        places = (at for at, entry in enumerate(self._session.state.transcript) if entry is event.entry)
        at = next(places, None)
        if at is not None:
            self._open(modals.dropped(self._session.state, at, self._signs))

    def action_refresh_files(self) -> None:
        """Mention the files that went stale in the prompt, so that they are sent anew with it."""
        stale = self._session.state.stale_files
        if not stale:
            self._warn("No file that the model has read has changed on disk.")
            return
        prompt = self._prompt
        mentions = " ".join(said for path in stale if (said := mention_of(path)) not in prompt.text)
        if mentions:
            prompt.insert(f"{mentions} ")
        prompt.focus()
        self.notify("They go along with this prompt as they are now.", markup=False)
