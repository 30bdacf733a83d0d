"""Makes room in a model's window, before a request would not fit and when a server says that it did not.

What is cut is planned by ``compaction``; the older part becomes a summary by the model itself, or a digest where that
fails, is empty or saves nothing. Each pass goes further than the one before; after three without an answer between
them the turn ends with an error that says what helps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...providers.base import ModelInfo, ModelRef, Provider, ProviderConfigError
from ...providers.events import ResponseEnd, ResponseError, StopReason
from ...providers.messages import ChatRequest
from .bus import MessageBus
from .compaction import Cut, earlier_summary, entries_weight, passes_in_vain, plan
from .compaction_events import Compacted, CompactionCause, CompactionMethod
from .compaction_summary import digest, files_note, in_portions, summary_request, told
from .context import DEFAULT_COMPACT_AT, SMALLEST_ANSWER, Calibration, calibration, output_limit, room
from .events import CallPurpose, NoticeLevel, NoticePosted
from .history import cut_middle
from .ledger import CostOf
from .recovery import in_words
from .reduce_compaction import compacted
from .request_builder import BuiltRequest, aside
from .sent import sent
from .side_call import side_call
from .state import AnswerEntry, Entry, PromptEntry, SessionState
from .token_estimate import messages_weight, request_weight, text_weight

Build = Callable[[SessionState, ModelInfo], BuiltRequest]
"""The next request of a state, as it would be sent to a model."""

PASSES = 3
"""How often room is made without an answer in between."""
_KEEP = (0.4, 0.2, 0.0)
_SUMMARY = (0.2, 0.12, 0.06)
"""Shares of the room beside rules and tools for what stays and for the summary, pass by pass."""
_MOST_KEPT, _LONGEST_SUMMARY = 32_000, 4_000
_SHORTEST_BY_MODEL = 150
"""Tokens. A model is not asked for a summary shorter than this, nor to read less than this."""
_PORTIONS = 6
_SMALLER = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacting:
    """When room is made by itself."""

    auto: bool = True
    at: float = DEFAULT_COMPACT_AT
    """The share of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """What room is made for."""

    state: SessionState
    """The session as it was when room began to be made."""
    turn_id: str
    model: ModelInfo
    cause: CompactionCause
    focus: str
    before: int
    """Tokens of the next request as it is."""
    aim: int
    """What it should have at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    event: Compacted
    cut: Cut
    summary_tokens: int


class MakingRoom:
    """Compacts the conversation of one session."""

    def __init__(
        self,
        bus: MessageBus,
        provider_of: Callable[[ModelRef], Provider],
        cost_of: CostOf,
        build: Build,
        settings: Compacting,
    ) -> None:
        self._bus = bus
        self._provider_of = provider_of
        self._cost_of = cost_of
        self._build = build
        self._settings = settings

    @property
    def _state(self) -> SessionState:
        return self._bus.store.state

    async def before_request(self, turn_id: str, model: ModelInfo) -> str:
        """Make room if the next request would come too near the end of the window.

        Returns why the request is not worth sending; empty when it is.
        """
        window = model.context_window
        if window is None or not self._settings.auto:
            return ""
        tokens = self.tokens(self._state, model)
        limit = room(model, window, self._settings.at)
        if tokens > limit and passes_in_vain(self._state) < PASSES:
            await self._make_room(turn_id, model, CompactionCause.THRESHOLD, target=limit)
            tokens = self.tokens(self._state, model)
        sure = tokens if calibration(self._state, model.ref).counted else tokens * 0.85
        return self._too_big(model, window) if sure > window - SMALLEST_ANSWER else ""

    async def after_overflow(self, turn_id: str, model: ModelInfo) -> bool:
        """Make room because the request did not fit; True when it is worth sending again."""
        if not self._settings.auto:
            self._say("Room is not made by itself (setting auto_compact). /compact makes some.", NoticeLevel.WARNING)
            return False
        done = False
        if passes_in_vain(self._state) < PASSES:
            done = await self._make_room(turn_id, model, CompactionCause.OVERFLOW, target=None)
        if not done:
            self._say(self._too_big(model, model.context_window), NoticeLevel.ERROR)
        return done

    async def on_demand(self, turn_id: str, model: ModelInfo, focus: str) -> str:
        """Make room because the person wants it. Returns why there is none to be made."""
        done = await self._make_room(turn_id, model, CompactionCause.ASKED, target=None, focus=focus)
        return "" if done else "There is nothing to compact: the conversation is as short as it gets."

    def tokens(self, state: SessionState, model: ModelInfo) -> int:
        """About how many input tokens the next request of a state has."""
        return self._build(state, model).tokens

    async def _make_room(
        self, turn_id: str, model: ModelInfo, cause: CompactionCause, *, target: int | None, focus: str = ""
    ) -> bool:
        """One pass. True when the next request is smaller than it was."""
        state = self._state
        before = await aside(state, lambda: self.tokens(state, model))
        aim = target
        if aim is None:
            aim = round(before * (0.75 if cause is CompactionCause.OVERFLOW else _SMALLER))
            if model.context_window is not None:
                aim = min(aim, room(model, model.context_window, self._settings.at))
        this = _Pass(state=state, turn_id=turn_id, model=model, cause=cause, focus=focus, before=before, aim=aim)
        chosen = await aside(state, lambda: self._choose(this))
        if chosen is None:
            return False
        self._bus.publish(await self._by_model(this, chosen))
        return True

    def _choose(self, this: _Pass) -> _Chosen | None:
        """The mildest cut that reaches the aim, with a digest for its summary; else the one that saves most."""
        state = this.state
        known = calibration(state, this.model.ref)
        fixed = known.rate * request_weight(replace(self._build(state, this.model).request, messages=()))
        free = max(0.0, this.aim - fixed)
        best: _Chosen | None = None
        first = 0 if this.cause is CompactionCause.ASKED else passes_in_vain(state)
        for level in range(min(first, PASSES - 1), PASSES):
            keep = known.weight(min(_MOST_KEPT, free * _KEEP[level]))
            cut = plan(state, keep, bare=level == PASSES - 1)
            if cut.empty:
                continue
            summary_tokens = round(min(_LONGEST_SUMMARY, max(24, free * _SUMMARY[level])))
            event = self._event(this, cut, self._digest(this, cut, known, summary_tokens))
            chosen = _Chosen(event=event, cut=cut, summary_tokens=summary_tokens)
            if event.after_tokens <= this.aim:
                return chosen
            if best is None or event.after_tokens < best.event.after_tokens:
                best = chosen
        return best if best is not None and best.event.after_tokens < this.before * _SMALLER else None

    def _event(self, this: _Pass, cut: Cut, summary: str) -> Compacted:
        """The compaction with this summary, by the program."""
        event = Compacted(
            summary=summary,
            method=CompactionMethod.DIGEST,
            cause=this.cause,
            kept_from=cut.kept_from,
            kept_prompts=cut.kept_prompts,
            shortened=cut.shortened,
            before_tokens=this.before,
            focus=this.focus,
            turn_id=this.turn_id,
        )
        return replace(event, after_tokens=self.tokens(compacted(this.state, event, 0.0), this.model))

    def _digest(self, this: _Pass, cut: Cut, known: Calibration, tokens: int) -> str:
        """A digest of everything that is no longer sent; a summary that a model wrote earlier is carried on."""
        state = this.state
        runs = {run.run_id: run for run in state.runs}
        before = sent(state.transcript).compacted
        earlier = ""
        entries: tuple[Entry, ...] = cut.dropped
        if before is not None and before.method is CompactionMethod.MODEL:
            earlier = before.summary
        elif before is not None:
            entries = _all_dropped(state, cut)
        characters = round(known.weight(tokens) * 4)
        while True:
            half = characters // 2
            carried = f"{cut_middle(earlier, half)}\n\nSince then:\n" if earlier else ""
            text = carried + digest(entries, runs, characters - len(carried), focus=this.focus)
            if text_weight(text) <= known.weight(tokens) or characters < 80:
                return text
            characters = characters * 3 // 4

    async def _by_model(self, this: _Pass, chosen: _Chosen) -> Compacted:
        """The event with a summary by the model, if there is a good one; else as it is, with the reason."""
        if not chosen.cut.dropped:
            return chosen.event
        text, why = await self._summary(this, chosen)
        if text:
            event, dropped = await aside(this.state, lambda: self._with_summary(this, chosen.cut, text))
            if event.after_tokens <= max(this.aim, chosen.event.after_tokens) and text_weight(event.summary) < dropped:
                return event
            why = "its summary saved nothing"
        return replace(chosen.event, why_digest=why)

    def _with_summary(self, this: _Pass, cut: Cut, text: str) -> tuple[Compacted, float]:
        """The compaction with the model's summary, and the weight of what that stands for."""
        runs = {run.run_id: run for run in this.state.runs}
        text += files_note(_all_dropped(this.state, cut), runs)
        event = replace(self._event(this, cut, text), method=CompactionMethod.MODEL)
        return event, entries_weight(this.state, cut.dropped) + text_weight(earlier_summary(this.state))

    async def _summary(self, this: _Pass, chosen: _Chosen) -> tuple[str, str]:
        """The model's summary, or why there is none."""
        model, focus, wanted = this.model, this.focus, chosen.summary_tokens
        known = calibration(self._state, model.ref)
        empty = summary_request("", model=model.ref.model, earlier="", focus=focus, max_tokens=1)
        window = model.context_window or this.before
        portion = (window - known.rate * request_weight(empty) - 2 * wanted) * 0.9
        if wanted < _SHORTEST_BY_MODEL or portion < _SHORTEST_BY_MODEL:
            full = model.context_window is not None and this.before > model.context_window // 2
            return "", "the window is too small for a summary" if full else "there is too little for a summary"
        try:
            provider = self._provider_of(model.ref)
        except ProviderConfigError as error:
            return "", str(error)
        if this.cause is not CompactionCause.ASKED:
            self._say("Making room in the window: the model summarises the older part of the conversation.")
        summary = earlier_summary(self._state)
        portions = await aside(this.state, lambda: self._portions(this, chosen.cut, known.weight(portion)))
        for each in portions:
            request = summary_request(each, model=model.ref.model, earlier=summary, focus=focus, max_tokens=1)
            answer = await side_call(
                self._bus,
                provider,
                self._bounded(request, model, 2 * wanted),
                model=model,
                cost_of=self._cost_of,
                purpose=CallPurpose.COMPACTION,
                turn_id=this.turn_id,
            )
            if not answer.whole or not answer.text:
                return "", _why_not(answer.end)
            summary = answer.text
        return summary, ""

    def _portions(self, this: _Pass, cut: Cut, weight: float) -> list[str]:
        """What was dropped in words, in portions of this weight; of very much, less of each text."""
        texts = told(cut.dropped, {run.run_id: run for run in this.state.runs})
        density = sum(map(len, texts)) / max(1, sum(map(text_weight, texts)))
        characters = max(400, int(weight * density))
        if len(in_portions(texts, characters)) > _PORTIONS:
            most = max(200, _PORTIONS * characters // len(texts))
            texts = [cut_middle(each, most) for each in texts]
        return in_portions(texts, characters)

    def _bounded(self, request: ChatRequest, model: ModelInfo, wanted: int) -> ChatRequest:
        """The request with a limit for its answer, thinking included."""
        known = calibration(self._state, model.ref)
        tokens = round(known.rate * request_weight(request))
        limit = output_limit(model, wanted + (8_000 if model.thinking else 0), tokens, counted=known.counted)
        return replace(request, max_tokens=limit, thinks=model.thinking, context_window=model.context_window)

    def _too_big(self, model: ModelInfo, window: int | None) -> str:
        """What does not fit, and what helps."""
        known = calibration(self._state, model.ref)
        request = self._build(self._state, model).request
        fixed = round(known.rate * request_weight(replace(request, messages=())))
        rest = round(known.rate * messages_weight(request.messages))
        size = "its window" if window is None else f"its window of {window:,} tokens"
        would = f"{size} would have to hold"
        if window is not None and fixed + rest < window // 2:  # no error of estimating
            would = f"it takes less than the window of {window:,} tokens that is known of it, and has to take"
        return (
            f"The conversation does not fit {model.ref}: {would} about {fixed:,} tokens of rules,"
            f" instructions and tools and {rest:,} of the conversation, which is as short as it gets. Choose a model"
            " with a larger window (Ctrl+O), start the server with a larger one, shorten the prompt or the"
            " instructions, or rewind (Alt+R)."
        )

    def _say(self, message: str, level: NoticeLevel = NoticeLevel.INFO) -> None:
        self._bus.publish(NoticePosted(message=message, level=level))


def _all_dropped(state: SessionState, cut: Cut) -> tuple[Entry, ...]:
    """Everything that is no longer sent after this cut, from the beginning of the session."""
    after = compacted(
        state,
        Compacted(
            summary="",
            method=CompactionMethod.DIGEST,
            cause=CompactionCause.ASKED,
            kept_from=cut.kept_from,
            kept_prompts=cut.kept_prompts,
        ),
        0.0,
    )
    kept = set(sent(after.transcript).positions)
    return tuple(
        entry
        for at, entry in enumerate(state.transcript)
        if at not in kept and isinstance(entry, PromptEntry | AnswerEntry)
    )


def _why_not(end: ResponseEnd | ResponseError) -> str:
    match end:
        case ResponseError():
            return f"the model gave none: {in_words(end)}"
        case ResponseEnd(stop_reason=StopReason.MAX_TOKENS):
            return "the model's summary did not come to an end"
        case ResponseEnd(stop_reason=StopReason.END_TURN):
            return "the model's summary was empty"
        case _:
            return "the model gave none"
