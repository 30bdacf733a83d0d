"""What the chat shows before there is any: how to connect a model, or what to do next."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from ....providers.base import Online, ProviderStatus
from ....tools.safe_text import safe_line
from ...engine.state import SessionState
from .. import amounts
from ..actions import ActionTable, key_label
from ..transcript.palette import UNICODE_SIGNS, Signs

_LABEL_CELLS = 17


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
        lines = self._connect() if self._state.model is None else self._begin()
        return Content("\n").join(lines)

    def _connect(self) -> list[Content]:
        providers = self._state.providers
        return [
            _words("Patchbay works with any model. No model is connected yet.", "bold $text"),
            Content(""),
            _pair("Claude", "export ANTHROPIC_API_KEY=…", "a key: console.anthropic.com"),
            _pair("Other clouds", "export OPENAI_API_KEY=…", "or OPENROUTER_, GROQ_, MISTRAL_, …"),
            _pair("This computer", "start Ollama, LM Studio, llama.cpp or vLLM", "found by itself"),
            _pair("Any other server", "[providers.NAME]  base_url = …  model = …"),
            _pair("", self._config_file),
            Content(""),
            *self._problems(providers),
            _pair("Enter", "plays the demo", "no model, no cost: a small task that shows every pane"),
            *self._keys(),
        ]

    def _begin(self) -> list[Content]:
        model = self._state.model
        assert model is not None
        facts = [f"{amounts.window(model.context_window)} window", amounts.price(model.price)]
        if model.price is not None and not model.price.free:
            facts[1] += " per million tokens"
        if model.tools is False:
            facts.append("cannot call tools: it answers, but cannot read or change files")
        return [
            _words("Say what you want done, then press Enter.", "bold $text"),
            Content(""),
            _pair("Model", safe_line(str(model.ref))),
            _pair("", "", f" {self._signs.dot} ".join(facts)),
            Content(""),
            *self._problems(self._state.providers),
            *self._keys(),
        ]

    def _problems(self, providers: Sequence[ProviderStatus]) -> list[Content]:
        """Providers that are configured and cannot be used, with the reason."""
        broken = [each for each in providers if each.online is Online.DISABLED and each.problem]
        rows = [
            Content.assemble(
                (f"{self._signs.failed} ", "$danger"),
                (f"{safe_line(each.name):<{_LABEL_CELLS - 2}}", "$text"),
                (safe_line(each.problem), "$danger"),
            )
            for each in broken[:4]
        ]
        return [*rows, Content("")] if rows else []

    def _keys(self) -> list[Content]:
        shown = ("session.switch_model", "app.show_help", "app.quit")
        actions = (self._table[action_id] for action_id in shown)
        return [_pair(" ".join(map(key_label, action.keys[:2])), action.title) for action in actions if action.keys]


def _words(text: str, style: str) -> Content:
    return Content.assemble((text, style))


def _pair(label: str, text: str, remark: str = "") -> Content:
    """A labelled row with a remark behind it."""
    gap = "   " if text and remark else ""
    return Content.assemble((f"{label:<{_LABEL_CELLS}}", "$accent"), (text, "$text"), gap, (remark, "$muted"))
