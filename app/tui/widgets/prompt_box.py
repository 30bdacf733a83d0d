"""What a screen composes for the prompt: the list of what it may become, its sign, and the ``Prompt`` itself.

Slash commands and their arguments are offered at once. Files are looked for in a thread, with each key anew; the list
of an older key is never used: who is faster than the thread has the answer worked out then and there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from ...engine.mentions import mention_of, unfinished_mention
from ..actions import ActionTable
from ..completing import Choice, PathSource, argument_choices, command_choices
from ..path_index import PathHit
from .completions import Completions
from .prompt import Prompt

OWN_COMMAND = " Runs unasked; its output goes with the next prompt   !! keeps it private"
PRIVATE_COMMAND = " Runs unasked; no model ever sees it or its output"


@dataclass(frozen=True, slots=True)
class _Token:
    """The mention that is being written, and where."""

    row: int
    start: int
    end: int
    path: str


class PromptBox(Vertical):
    """The prompt and what it may become."""

    def __init__(
        self,
        prompt: Prompt,
        table: ActionTable,
        *,
        files: PathSource | None = None,
        values: Callable[[str], Sequence[str]] = lambda action_id: (),
        sign: str = "›",
        id: str | None = None,
    ) -> None:
        """``files`` can be mentioned; ``values`` are what a slash command (by its action) takes."""
        super().__init__(id=id)
        self.prompt = prompt
        prompt.offers = self
        self._table = table
        self._files = files
        self._values = values
        self._sign = sign
        self._token: _Token | None = None
        """The mention that the list shown is for."""
        self._shut: tuple[int, int] | None = None
        """Where a mention begins that the person wants no list for."""

    def compose(self) -> ComposeResult:
        """Four widgets in all."""
        yield Completions(id="completions")
        with Horizontal():
            yield Static(f"{self._sign} ", id="prompt-sign", markup=False)
            yield self.prompt

    @property
    def _list(self) -> Completions:
        return self.query_one(Completions)

    # ---- what is offered

    @on(TextArea.Changed)
    @on(TextArea.SelectionChanged)
    def offer(self) -> None:
        """Offer what the text may become as it is now."""
        text = self.prompt.text
        own = text.startswith("!")
        if self.has_class("own-command") is not own:
            self.set_class(own, "own-command")
            self.query_one("#prompt-sign", Static).update("$ " if own else f"{self._sign} ", layout=False)
        token = self._written()
        if token is not None and (token.row, token.start) == self._shut:
            token = None
        elif token is not None:
            self._shut = None
        if token is None:
            self._token = None
            self._offer_commands(text)
        elif token != self._token:
            self._look(token)

    def _offer_commands(self, text: str) -> None:
        if not text:
            self._shut = None
        if text.startswith("!"):
            self._list.say(Content.styled(PRIVATE_COMMAND if text.startswith("!!") else OWN_COMMAND, "$muted"))
        elif self._shut == (0, -1) or not text.startswith("/"):
            self._list.offer(())
        else:
            self._list.offer(self._commands(text))

    def _commands(self, text: str) -> tuple[Choice, ...]:
        return command_choices(self._table, text) or argument_choices(self._table, text, self._values)

    def _written(self) -> _Token | None:
        """The mention before the cursor."""
        prompt = self.prompt
        if self._files is None or not prompt.selection.is_empty or "@" not in prompt.text:
            return None
        row, column = prompt.cursor_location
        found = unfinished_mention(prompt.document.get_line(row)[:column])
        return None if found is None else _Token(row, found.start, column, found.path)

    @work(group="complete", exclusive=True)
    async def _look(self, token: _Token) -> None:
        source = self._files
        if source is None:
            return
        if source.index is None:
            self._list.say(Content.styled(" looking for files…", "$muted"))
            await source.refresh()
        elif source.stale:
            self.run_worker(source.refresh(), group="names")
        index = source.index
        if index is None:
            return
        hits = await asyncio.to_thread(index.match, token.path)
        if self._written() == token:
            self._show(token, hits)

    def _show(self, token: _Token, hits: Sequence[PathHit]) -> None:
        self._token = token
        self._list.offer([Choice(text=hit.path, title=hit.path, marks=hit.marks) for hit in hits])

    # ---- what the prompt asks (``Offers``)

    def take(self, *, sending: bool) -> bool:
        """Put the chosen one in: a path, or a slash command, which Enter then sends."""
        token = self._written()
        if token is not None and (token.row, token.start) != self._shut:
            return self._take_path(token, sending=sending)
        choices = self._list.choices
        if not choices or not self.prompt.text.startswith("/"):
            return False
        text = choices[self._list.chosen].text
        known = self._table.parse_command(self.prompt.text)
        if sending and known is not None and not known[1] and self._list.chosen == 0:
            return False  # it is whole as it stands
        self.prompt.replace_all(text.rstrip() if sending else text)
        return not sending

    def _take_path(self, token: _Token, *, sending: bool) -> bool:
        index = None if self._files is None else self._files.index
        if token != self._token and index is not None:
            self._show(token, index.match(token.path))
        if token != self._token or not self._list.choices:
            return False
        path = self._list.choices[self._list.chosen].text
        if sending and path.removesuffix("/") == token.path.removesuffix("/"):
            return False  # it is whole as it stands
        written = mention_of(path)
        line = self.prompt.document.get_line(token.row)
        if path.endswith("/"):
            written = written.removesuffix('"')  # one goes on writing in the folder
        elif line[token.end : token.end + 1] != " ":
            written += " "
        self._token = None
        result = self.prompt.replace(
            written, (token.row, token.start), (token.row, token.end), maintain_selection_offset=False
        )
        self.prompt.move_cursor(result.end_location)
        return True

    def move(self, step: int) -> bool:
        """Choose another row."""
        if len(self._list.choices) < 2:
            return False
        self._list.move(step)
        return True

    def close(self) -> bool:
        """Take the list away, until another word begins."""
        if not self._list.choices:
            return False
        self.hush()
        return True

    def hush(self) -> None:
        """Offer nothing for the text as it stands."""
        token = self._written()
        self._shut = (0, -1) if token is None else (token.row, token.start)
        self._token = None
        self._list.offer(())
