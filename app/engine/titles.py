"""Titles: a cheap model says in a few words what a session is about, once, after the first answer.

Nothing waits for it, and nothing is said when it fails: the first prompt stands in for a title, as it does without
such a model. The call is in the ledger (``CallPurpose.TITLE``).
"""

import asyncio
import logging
import re
import unicodedata
from collections.abc import Awaitable, Callable

from ...providers.base import ModelInfo, Provider
from ...providers.messages import ChatRequest, Effort, TextBlock, UserMessage
from ...tools.safe_text import safe_line, safe_text
from .bus import MessageBus
from .events import CallPurpose, Stamped, TitleProposed, TurnEnded, TurnOutcome
from .ledger import CostOf
from .side_call import side_call
from .state import AnswerEntry, PromptEntry, SessionState, TextPart

MAX_CELLS = 60
MAX_TOKENS = 32
TIMEOUT_S = 30.0
_PROMPT_CHARS = 1500
_ANSWER_CHARS = 700
_SYSTEM = (
    "You name conversations between a person and a coding assistant. Reply with a title of three to seven words for"
    " the one you are shown, in the person's language: no quotes, no full stop, nothing else."
)
_LEAD = re.compile(r"^(?:\s|[#>*_`\"'“”«»-]|\btitle\s*:)+", re.IGNORECASE)
_TAIL = re.compile(r"[\s*_`\"'“”«».]+$")

_log = logging.getLogger(__name__)

TitleModel = Callable[[], Awaitable[tuple[ModelInfo, Provider] | None]]
"""Finds the model that writes titles; None when it cannot be had or no title is wanted. May raise."""


class TitleWriter:
    """Listens to one session and proposes a title for it. Attach ``hear`` to the bus; close when done."""

    def __init__(self, bus: MessageBus, title_model: TitleModel, cost_of: CostOf) -> None:
        self._bus = bus
        self._title_model = title_model
        self._cost_of = cost_of
        self._task: asyncio.Task[None] | None = None
        self._tried = False

    def hear(self, stamped: Stamped) -> None:
        """Take one event: the end of the first turn with an answer starts the call. Never blocks."""
        match stamped.event:
            case TurnEnded(outcome=outcome) if outcome is not TurnOutcome.INTERRUPTED and not self._tried:
                state = self._bus.store.state
                question = None if state.title else title_question(state)
                if question:
                    self._tried = True
                    self._task = asyncio.get_running_loop().create_task(self._write(question), name="title")
            case _:
                return

    async def aclose(self) -> None:
        """Stop a call that still runs; its ledger row is written."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _write(self, question: str) -> None:
        try:
            found = await self._title_model()
            if found is not None:
                await self._ask(question, *found)
        except Exception as error:  # a title is never worth an error on screen
            _log.info("no title for %s: %s", self._bus.store.state.session_id, error)

    async def _ask(self, question: str, model: ModelInfo, provider: Provider) -> None:
        request = ChatRequest(
            model=model.ref.model,
            messages=(UserMessage(blocks=(TextBlock(text=question),)),),
            system=_SYSTEM,
            max_tokens=MAX_TOKENS,
            effort=Effort.OFF if model.thinking else Effort.DEFAULT,
            thinks=model.thinking,
            context_window=model.context_window,
        )
        async with asyncio.timeout(TIMEOUT_S):
            answer = await side_call(
                self._bus, provider, request, model=model, cost_of=self._cost_of, purpose=CallPurpose.TITLE
            )
        title = clean_title(answer.text)
        # What was cut off at the limit in its first line was no title.
        if title and (answer.whole or "\n" in answer.text):
            self._bus.publish(TitleProposed(title=title, ref=model.ref))
        else:
            _log.info("no title for %s: %s", self._bus.store.state.session_id, type(answer.end).__name__)


def title_question(state: SessionState) -> str:
    """The beginning of the first prompt and of its answer; empty when there is no answer with text yet."""
    prompt = next((entry.text for entry in state.transcript if isinstance(entry, PromptEntry)), "")
    texts = (
        str(part.text)
        for entry in state.transcript
        if isinstance(entry, AnswerEntry)
        for part in entry.parts
        if isinstance(part, TextPart)
    )
    answer = next((text for text in texts if text.strip()), "")
    if not prompt.strip() or not answer:
        return ""
    return f"<person>\n{prompt[:_PROMPT_CHARS]}\n</person>\n<assistant>\n{answer[:_ANSWER_CHARS]}\n</assistant>"


def clean_title(text: str) -> str:
    """A model's answer as one safe line of at most ``MAX_CELLS`` cells, cut at a word; empty when nothing is left."""
    line = next((line for line in safe_text(text).splitlines() if _LEAD.sub("", line).strip()), "")
    line = " ".join(safe_line(_TAIL.sub("", _LEAD.sub("", line))).split())
    if _cells(line) <= MAX_CELLS:
        return line
    while line and _cells(line) > MAX_CELLS - 1:
        head, space, _ = line.rpartition(" ")
        line = head if space and _cells(head) > MAX_CELLS // 2 else line[:-1]
    return f"{line.rstrip()}…"


def _cells(text: str) -> int:
    """Columns of a terminal that the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
