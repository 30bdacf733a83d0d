"""Builds the next request of a session: history, rules, instructions, tools, and the limit of the answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from ...providers.base import ModelInfo, ProviderConfigError
from ...providers.messages import ChatRequest, ToolSpec
from ...tools.base import Toolbox
from .attached import as_seen, with_instructions
from .bus import MessageBus
from .context import calibration, output_limit, wanted_output
from .handoff import Prepare
from .history import history, paused
from .slimming import offered, rules_for
from .state import SessionState
from .system_prompt import RULES, mode_note, surroundings
from .token_estimate import request_weight

T = TypeVar("T")
LONG_ENTRIES = 200
"""A transcript of so many entries is built within some milliseconds, even when none of it was weighed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRequest:
    """A request as it would be sent, and what there is to say of it."""

    request: ChatRequest
    weight: int
    """Of the whole request, as ``token_estimate`` weighs it."""
    tokens: int
    """About how many input tokens of its model it has."""
    changes: tuple[str, ...] = ()
    """What of the history the model does not get as it was, in words."""
    unfit: str = ""
    """Why it cannot be sent to this model at all; empty when it can."""
    slim: str = ""
    """What a small window keeps it from offering; empty when nothing."""


async def aside(state: SessionState, work: Callable[[], T]) -> T:
    """What ``work`` gives, which reads a whole conversation: of a long one in a thread."""
    return await asyncio.to_thread(work) if len(state.transcript) > LONG_ENTRIES else work()


class RequestBuilder:
    """Builds the requests of one session. Nothing is said or sent; it may be used from a thread."""

    def __init__(self, bus: MessageBus, toolbox: Toolbox, prepare: Prepare) -> None:
        self._bus = bus
        self._prepare = prepare
        self._tools = tuple(
            ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters)
            for tool in toolbox.schemas()
        )
        self._last: tuple[SessionState, ModelInfo, BuiltRequest] | None = None

    def next(self, model: ModelInfo, dialect: str = "") -> BuiltRequest:
        """The next request as that model would get it; ``dialect`` is that of its provider, empty for the selected."""
        state = self._bus.store.state
        return self.of(replace(state, dialect=dialect) if dialect not in ("", state.dialect) else state, model)

    async def weighed(self, model: ModelInfo) -> None:
        """Build the next request, of a long conversation in a thread: a screen cannot wait for that."""
        state = self._bus.store.state
        await aside(state, lambda: self.of(state, model))

    def of(self, state: SessionState, model: ModelInfo) -> BuiltRequest:
        """The next request of a state. Window, budget and sending ask one after the other: it is built once."""
        last = self._last
        if last is None or last[0] is not state or last[1] != model:
            last = self._last = (state, model, self._build(state, model))
        return last[2]

    def _build(self, state: SessionState, model: ModelInfo) -> BuiltRequest:
        messages, changes, unfit = history(state), (), ""
        window = model.context_window
        try:
            prepared = self._prepare(messages, model.ref, state.dialect, continuation=paused(state))
            messages, left_out = as_seen(prepared.messages, state, model)
            changes = (*prepared.changes, *left_out)
        except ProviderConfigError as error:
            unfit = str(error)
        offer = offered(self._tools, window)
        request = ChatRequest(
            model=model.ref.model,
            messages=messages,
            system=with_instructions(rules_for(RULES, window), state.instructions, window),
            system_tail=surroundings(Path(state.folder), date.fromtimestamp(self._bus.now)) + mode_note(state.mode),
            tools=offer.tools,
            effort=state.effort,
            thinks=model.thinking,
            context_window=window,
        )
        known, weight = calibration(state, model.ref), request_weight(request)
        tokens = known.tokens(weight)
        limit = output_limit(model, wanted_output(model), tokens, counted=known.counted)
        return BuiltRequest(
            request=replace(request, max_tokens=limit),
            weight=weight,
            tokens=tokens,
            changes=changes,
            unfit=unfit,
            slim=offer.said,
        )
