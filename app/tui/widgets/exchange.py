"""The raw exchange (F3): what was sent to a provider and what came back, byte for byte but for keys.

Request and reply stand side by side, one above the other on a narrow screen. Left and right step through the latest
exchanges of the session; a reply that is still coming is read again with every step.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from ....providers.base import Exchange
from ....tools.safe_text import reveal, safe_line
from ...engine.state import AnswerEntry, Entry
from ..control import Exchanges
from ..transcript.palette import UNICODE_SIGNS, Signs
from .key_line import key_line

SIDE_BY_SIDE_COLUMNS = 110
"""Fewer columns show the reply below the request."""
_KEYS = (("← →", "other exchanges"), ("Tab", "request or reply"), ("↑ ↓", "scroll"), ("Esc", "closes"))


class ExchangeScreen(ModalScreen[None]):
    """Shows one exchange of the session at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", show=False, priority=True),
        Binding("f3", "close", "Close", show=False, priority=True, id="view.show_exchange"),
        Binding("left,h", "step(-1)", "Earlier", show=False, priority=True),
        Binding("right,l", "step(1)", "Later", show=False, priority=True),
        Binding("tab,shift+tab", "other_side", "Other side", show=False, priority=True),
    ]

    def __init__(self, exchanges: Exchanges, number: int, *, signs: Signs = UNICODE_SIGNS) -> None:
        """Begin with the exchange of this number."""
        super().__init__()
        self._signs = signs
        self._exchanges = exchanges
        self._number = number

    def compose(self) -> ComposeResult:
        """A title, two texts, and what the keys do."""
        with Vertical(classes="dialog"):
            yield Static(classes="dialog-title", markup=False, id="exchange-title")
            with Container(id="exchange-sides"):
                for side in ("request", "reply"):
                    with Vertical(classes="exchange-side", id=f"{side}-side"):
                        yield Static(classes="exchange-caption", markup=False, id=f"{side}-caption")
                        yield TextArea(read_only=True, show_line_numbers=False, id=side)
            yield Static(key_line(*_KEYS, signs=self._signs), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Show the exchange that was asked for, its reply first."""
        self._show()
        self.query_one("#reply", TextArea).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width >= SIDE_BY_SIDE_COLUMNS, "side-by-side")

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def action_other_side(self) -> None:
        """From the request to the reply, or back."""
        request, reply = self.query_one("#request", TextArea), self.query_one("#reply", TextArea)
        (request if reply.has_focus else reply).focus()

    def action_step(self, by: int) -> None:
        """The next exchange, or the one before; at the ends the same again, as it is now."""
        numbers = [number for number, _ in self._exchanges.index()]
        if not numbers:
            return
        at = numbers.index(self._number) if self._number in numbers else 0
        self._number = numbers[min(max(at + by, 0), len(numbers) - 1)]
        self._show()

    def _show(self) -> None:
        exchange = self._exchanges.exchange(self._number)
        if exchange is None:
            return
        numbers = [number for number, _ in self._exchanges.index()]
        title = f"Exchange {numbers.index(self._number) + 1} of {len(numbers)}"
        self.query_one("#exchange-title", Static).update(
            Content.assemble((title, "bold $accent"), (f"   {_about(exchange, self._signs)}", "not bold $muted"))
        )
        self._fill("request", safe_line(f"{exchange.method} {exchange.path}"), request_text(exchange))
        self._fill("reply", safe_line(f"{_status(exchange)}   {_outcome(exchange)}"), reply_text(exchange))

    def _fill(self, side: str, caption: str, text: str) -> None:
        self.query_one(f"#{side}-caption", Static).update(Content(caption))
        area = self.query_one(f"#{side}", TextArea)
        if area.text != text:
            area.load_text(text)


def request_text(exchange: Exchange) -> str:
    """Headers and body of the request; JSON is laid out, whatever would steer a terminal is made visible."""
    body = exchange.request_body
    with suppress(ValueError, RecursionError):  # no JSON, or only its beginning was kept
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return _text(exchange.request_headers, body)


def reply_text(exchange: Exchange) -> str:
    """Headers and body of the reply, as they came."""
    kept = exchange.response_body
    if exchange.clipped:
        kept += f"\n\n({exchange.response_bytes:,} bytes came; the rest is not kept)"
    return _text(exchange.response_headers, kept)


def chosen_exchange(exchanges: Exchanges, entry: Entry | None) -> int | None:
    """The number of the last exchange an answer came from: it may have been asked for more than once.

    For other entries, and when it is no longer kept, the latest exchange with a model, or else the latest of all; None
    when there is none.
    """
    found: int | None = None
    if isinstance(entry, AnswerEntry):
        until = inf if entry.ended_at is None else entry.ended_at
        found = _latest(exchanges, entry.started_at, until, entry.ref.provider)
    if found is None:
        found = _latest(exchanges)
    return next((number for number, _ in reversed(exchanges.index())), None) if found is None else found


def _latest(exchanges: Exchanges, since: float = -inf, until: float = inf, provider: str = "") -> int | None:
    """The latest exchange with a model that was sent in that time; only what may be it is looked into."""
    for number, at in reversed(exchanges.index()):
        found = exchanges.exchange(number) if since <= at <= until else None
        if found is not None and found.model and provider in ("", found.provider):
            return number
    return None


def _text(headers: Mapping[str, str], body: str) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return reveal("\n".join([*lines, "", body])) if lines else reveal(body)


def _about(exchange: Exchange, signs: Signs) -> str:
    return safe_line("   ".join(_parts(exchange, signs)))


def _parts(exchange: Exchange, signs: Signs) -> Iterator[str]:
    yield f"{exchange.provider} {signs.dot} {exchange.model}" if exchange.model else exchange.provider
    yield exchange.dialect
    yield time.strftime("%H:%M:%S", time.localtime(exchange.at))


def _status(exchange: Exchange) -> str:
    return "no reply" if exchange.status is None else str(exchange.status)


def _outcome(exchange: Exchange) -> str:
    size = f"{exchange.response_bytes:,} bytes"
    match exchange:
        case Exchange(status=None):
            return "(yet; or the connection failed)"
        case Exchange(cut=True):
            return f"{size}, cut off"
        case Exchange(ended=False):
            return f"{size}, still coming"
        case _:
            return size
