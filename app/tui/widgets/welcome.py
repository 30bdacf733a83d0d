"""What the chat shows before there is any: how to connect a model, or what to do next."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from ....providers.base import Online
from ....tools.safe_text import safe_line
from ...engine.state import SessionState
from .. import amounts
from ..actions import ActionTable, key_label
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import break_text

_LABEL_CELLS = 18
PROBLEMS_SHOWN = 3
"""Providers that cannot be used and are named; the switcher lists the others."""


class Welcome(Widget):
    """The first screen. ``config_file`` is the person's settings file, as it should be shown."""

    def __init__(
        self, table: ActionTable, *, config_file: str, signs: Signs = UNICODE_SIGNS, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._table = table
        self._config_file = config_file
        self._signs = signs
        self._state = SessionState()

    def sync(self, state: SessionState) -> None:
        """Follow what was found and chosen."""
        if (state.model, state.providers) != (self._state.model, self._state.providers):
            self.refresh()
        self._state = state

    def render(self) -> Content:
        """The text for what is connected now."""
        rows = self._connect() if self._state.model is None else self._begin()
        return Content("\n").join(line for row in rows for line in row.lines(self.size.width))

    def _connect(self) -> list["_Row"]:
        return [
            _Row(heading="Patchbay works with any model. No model is connected yet."),
            _Row(),
            _Row("Claude", "export ANTHROPIC_API_KEY=…", "or patchbay login anthropic"),
            _Row("Other clouds", "export OPENAI_API_KEY=…", "or OPENROUTER_API_KEY, GROQ_API_KEY, …"),
            _Row("This computer", f"start Ollama, LM Studio, llama.cpp or vLLM{self._look_again()}"),
            _Row("Any other server", "[providers.NAME] with base_url and model, in"),
            _Row("", self._config_file),
            _Row(),
            *self._problems(),
            _Row("Enter", "plays the demo", "a small task on every pane, no model"),
            *self._keys(),
        ]

    def _look_again(self) -> str:
        """The key that looks for servers now; they are also found at the next start."""
        keys = self._table["session.switch_model"].keys
        return f", press {key_label(keys[0])}" if keys else ""

    def _begin(self) -> list["_Row"]:
        model = self._state.model
        assert model is not None
        facts = [f"{amounts.window(model.context_window)} window", amounts.price(model.price)]
        if model.price is None:
            facts[1] = "price unknown"
        elif not model.price.free:
            facts[1] += " per million tokens"
        if model.tools is False:
            facts.append("cannot call tools by itself: they are described in its prompt")
        return [
            _Row(heading="Say what you want done, then press Enter."),
            _Row(),
            _Row("Model", safe_line(str(model.ref))),
            _Row("", remark=f" {self._signs.dot} ".join(facts)),
            _Row(),
            *self._problems(),
            *self._keys(),
        ]

    def _problems(self) -> list["_Row"]:
        """Providers that are configured and cannot be used, with the reason."""
        broken = [each for each in self._state.providers if each.online is Online.DISABLED and each.problem]
        rows = [
            _Row(f"{self._signs.failed} {safe_line(each.name)}", safe_line(each.problem), role="danger")
            for each in broken[:PROBLEMS_SHOWN]
        ]
        return [*rows, _Row()] if rows else []

    def _keys(self) -> list["_Row"]:
        shown = ("session.switch_model", "app.show_help", "app.quit")
        actions = (self._table[action_id] for action_id in shown)
        return [_Row(" ".join(map(key_label, action.keys[:2])), action.title) for action in actions if action.keys]


class _Row(NamedTuple):
    """A labelled row; what is too long for the screen goes on below itself."""

    label: str = ""
    text: str = ""
    remark: str = ""
    role: str = "text"
    heading: str = ""

    def lines(self, width: int) -> Iterator[Content]:
        """The row at a width."""
        if self.heading:
            yield Content.assemble((self.heading, "bold $text"))
            return
        room = max(10, width - _LABEL_CELLS)
        label = self.label
        for line in self._body(room):
            yield Content.assemble(
                (f"{label:<{_LABEL_CELLS}}", "$accent" if self.role == "text" else f"${self.role}"), line
            )
            label = ""

    def _body(self, room: int) -> Iterator[Content]:
        text, remark = (self.text, f"${self.role}"), (self.remark, "$muted")
        gap = "   " if self.text and self.remark else ""
        if cell_len(self.text + gap + self.remark) <= room:
            yield Content.assemble(text, gap, remark)
            return
        for words, style in (text, remark):
            if words:
                yield from (Content.assemble((words[at:end], style)) for at, end in break_text(words, room, room))
