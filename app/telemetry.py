"""A session as OpenTelemetry sees it, by the semantic conventions for generative AI (as of 1.41, in development).

One trace a turn: ``invoke_agent patchbay``, in it ``chat MODEL`` for each HTTP call and ``execute_tool NAME`` for each
tool run; a verification is an ``invoke_workflow verify`` around its turns and checks. Metrics:
``gen_ai.client.token.usage``, ``gen_ai.client.operation.duration`` and our own ``patchbay.cost`` (USD). Nothing that
was said goes along unless the person asked for content. Attributes that the conventions lack begin with ``patchbay.``.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..providers.base import ModelRef
from ..providers.events import ResponseEnd, ResponseError, ResponseStart, StopReason, TextDelta, ToolCallEnd, Usage
from ..providers.redact import redact_registered
from ..tools.events import Outcome, ToolRunFinished, ToolRunStarted
from .engine.events import (
    CallPriced,
    ModelSelected,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    SideCallStarted,
    Stamped,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from .engine.verify_events import VerifyEnded, VerifyOutcome, VerifyStarted
from .otlp import CLIENT, INTERNAL, Instrument, Measurement, Span, Value

TOKENS = Instrument(
    name="gen_ai.client.token.usage",
    unit="{token}",
    description="Number of input and output tokens used.",
    bounds=tuple(float(4**power) for power in range(14)),
)
DURATION = Instrument(
    name="gen_ai.client.operation.duration",
    unit="s",
    description="GenAI operation duration.",
    bounds=tuple(0.01 * 2**power for power in range(14)),
)
COST = Instrument(name="patchbay.cost", unit="USD", description="What calls to models cost, where that is known.")

_PROVIDERS = {"mistral": "mistral_ai", "xai": "x_ai"}
"""Names of ours that the conventions spell differently."""
_FINISHED = {
    StopReason.END_TURN: "stop",
    StopReason.TOOL_CALLS: "tool_calls",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTENT_FILTER: "content_filter",
}
_CONTENT_CHARS = 50_000


@dataclass(slots=True, kw_only=True)
class _Open:
    """A span that has not ended."""

    name: str
    kind: int
    started_at: float
    trace_id: str
    parent_id: str = ""
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    said: list[str] = field(default_factory=list[str])


class Telemetry:
    """A sink of the bus that turns its events into spans and measurements for ``offer``, which must not wait."""

    def __init__(
        self,
        offer: Callable[[Span | Measurement], None],
        *,
        session_id: str,
        version: str,
        content: bool = False,
        ref: ModelRef | None = None,
    ) -> None:
        """``ref`` is the model that is chosen already."""
        self._offer = offer
        self._session = session_id
        self._version = version
        self._content = content
        self._ref = ref
        self._verify: _Open | None = None
        self._turn: _Open | None = None
        self._calls: dict[str, _Open] = {}
        self._runs: dict[str, _Open] = {}
        self._call_ids: dict[tuple[str, int], tuple[str, Any]] = {}
        self._prompt = ""
        self._totals = [0, 0]

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        at = stamped.at
        match stamped.event:
            case ProviderActivity(request_id=request_id, event=event):
                self._heard(request_id, event)
            case ToolActivity() as activity:
                self._tool(activity, at)
            case RequestStarted(request_id=request_id, ref=ref):
                self._calls[request_id] = self._chat(ref, at, asked=self._prompt)
            case SideCallStarted(request_id=request_id, ref=ref):  # what it asks is not the person's prompt
                self._calls[request_id] = self._chat(ref, at)
            case CallPriced() as call:
                self._priced(call, at)
            case ModelSelected(model=model):
                self._ref = model.ref
            case PromptSubmitted(text=text):
                self._prompt = text
            case TurnStarted():
                self._turn = self._begin("invoke_agent", "patchbay", INTERNAL, at, parent=self._verify)
                self._turn.attributes |= {"gen_ai.agent.name": "patchbay", "gen_ai.agent.version": self._version}
                self._totals = [0, 0]
            case TurnEnded(outcome=outcome):
                self._turn_ended(outcome, at)
            case VerifyStarted(checks=checks, rounds=rounds):
                self._verify = self._begin("invoke_workflow", "verify", INTERNAL, at, parent=None)
                self._verify.attributes |= {"gen_ai.workflow.name": "verify", "patchbay.verify.checks": len(checks)}
                self._verify.attributes["patchbay.verify.rounds_limit"] = rounds
            case VerifyEnded(outcome=outcome, rounds=rounds) if self._verify is not None:
                self._verify.attributes |= {
                    "patchbay.verify.outcome": outcome.value,
                    "patchbay.verify.rounds": rounds,
                }
                calm = (VerifyOutcome.GREEN, VerifyOutcome.CANCELLED)
                self._end(self._verify, at, error="" if outcome in calm else outcome.value)
                self._verify = None
            case _:
                return

    # ---- spans

    def _begin(self, operation: str, target: str, kind: int, at: float, *, parent: _Open | None) -> _Open:
        span = _Open(
            name=f"{operation} {target}",
            kind=kind,
            started_at=at,
            trace_id=secrets.token_hex(16) if parent is None else parent.trace_id,
            parent_id="" if parent is None else parent.span_id,
        )
        span.attributes = {"gen_ai.operation.name": operation, "gen_ai.conversation.id": self._session}
        if self._ref is not None and operation == "invoke_agent":
            span.attributes |= _model_attributes(self._ref)
        return span

    def _end(self, span: _Open, at: float, *, error: str = "") -> None:
        if error:
            span.attributes["error.type"] = error
        self._offer(
            Span(
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_id=span.parent_id,
                name=span.name,
                kind=span.kind,
                started_at=span.started_at,
                ended_at=at,
                attributes=span.attributes,
                error=error,
            )
        )

    def _turn_ended(self, outcome: TurnOutcome, at: float) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        turn.attributes["patchbay.turn.outcome"] = outcome.value
        if any(self._totals):
            turn.attributes["gen_ai.usage.input_tokens"], turn.attributes["gen_ai.usage.output_tokens"] = self._totals
        calm = (TurnOutcome.DONE, TurnOutcome.CANCELLED)
        self._end(turn, at, error="" if outcome in calm else outcome.value)
        self._call_ids.clear()

    def _chat(self, ref: ModelRef, at: float, *, asked: str = "") -> _Open:
        span = self._begin("chat", ref.model, CLIENT, at, parent=self._turn)
        span.attributes |= _model_attributes(ref)
        if self._content and asked:
            message = {"role": "user", "parts": [{"type": "text", "content": _bounded(asked)}]}
            span.attributes["gen_ai.input.messages"] = json.dumps([message])
        return span

    def _heard(self, request_id: str, event: object) -> None:
        span = self._calls.get(request_id)
        if span is None:
            return
        match event:
            case TextDelta(text=text):
                if self._content:
                    span.said.append(text)
            case ResponseStart(response_id=response_id, model=model):
                known = {"gen_ai.response.id": response_id, "gen_ai.response.model": model}
                span.attributes |= {name: value for name, value in known.items() if value}
            case ResponseEnd(stop_reason=reason, raw_stop_reason=raw):
                span.attributes["gen_ai.response.finish_reasons"] = (raw or _FINISHED.get(reason, reason.value),)
            case ResponseError(status=status) if status is not None:
                span.attributes["http.response.status_code"] = status
            case ToolCallEnd(index=index, call_id=call_id, arguments=arguments):
                self._call_ids[request_id, index] = (call_id, arguments)
            case _:
                return

    def _priced(self, call: CallPriced, at: float) -> None:
        """A call is over: its span, and what it adds to the metrics."""
        span = self._calls.pop(call.request_id, None)
        if span is None:
            return
        tokens = _token_attributes(call.usage)
        span.attributes |= tokens
        span.attributes["patchbay.call.purpose"] = call.purpose.value
        if call.usage_estimated:
            span.attributes["patchbay.usage.estimated"] = True
        if call.first_token_s is not None:
            span.attributes["patchbay.time_to_first_token"] = call.first_token_s
        if call.cost.amount is not None:
            span.attributes |= {
                "patchbay.cost": float(call.cost.amount),
                "patchbay.cost.source": call.cost.source.value,
            }
        if span.said:
            message = {"role": "assistant", "parts": [{"type": "text", "content": _bounded("".join(span.said))}]}
            span.attributes["gen_ai.output.messages"] = json.dumps([message])
        error = call.error_kind or ""
        self._end(span, at, error=error)
        self._measure(call, span, tokens, error)

    def _measure(self, call: CallPriced, span: _Open, tokens: dict[str, int], error: str) -> None:
        named = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model")
        shared = {name: span.attributes[name] for name in named if name in span.attributes}
        failed: dict[str, Value] = {"error.type": error} if error else {}
        self._offer(Measurement(instrument=DURATION, value=call.duration_s, attributes=shared | failed))
        for at, kind in enumerate(("input", "output")):
            count = tokens.get(f"gen_ai.usage.{kind}_tokens")
            if count is None:
                continue
            self._totals[at] += count
            if not call.usage_estimated:  # the conventions want counts here, not guesses
                attributes: dict[str, Value] = {**shared, "gen_ai.token.type": kind}
                self._offer(Measurement(instrument=TOKENS, value=count, attributes=attributes))
        if call.cost.amount is not None:
            priced: dict[str, Value] = {**shared, "patchbay.cost.source": call.cost.source.value}
            self._offer(Measurement(instrument=COST, value=float(call.cost.amount), attributes=priced))

    def _tool(self, activity: ToolActivity, at: float) -> None:
        match activity.event:
            case ToolRunStarted(run_id=run_id, name=name, title=title):
                self._runs[run_id] = self._execute(activity, name, at)
                if not activity.turn_id and self._content:
                    self._runs[run_id].attributes["gen_ai.tool.call.arguments"] = _bounded(title)
            case ToolRunFinished(run_id=run_id) as finished:
                span = self._runs.pop(run_id, None) or self._execute(activity, "unknown", at)
                if finished.exit_status is not None:
                    span.attributes["process.exit.code"] = finished.exit_status
                if self._content:
                    span.attributes["gen_ai.tool.call.result"] = _bounded(finished.content)
                failed = finished.outcome is not Outcome.OK
                self._end(span, at, error=(finished.error_kind or finished.outcome.value) if failed else "")
            case _:
                return

    def _execute(self, activity: ToolActivity, name: str, at: float) -> _Open:
        parent = self._turn if activity.turn_id else self._verify
        span = self._begin("execute_tool", name, INTERNAL, at, parent=parent)
        span.attributes |= {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
        call_id, arguments = self._call_ids.get((activity.request_id, activity.part_index), ("", None))
        if call_id:
            span.attributes["gen_ai.tool.call.id"] = call_id
        if self._content and arguments is not None:
            span.attributes["gen_ai.tool.call.arguments"] = _bounded(json.dumps(arguments, default=str))
        return span


def _model_attributes(ref: ModelRef) -> dict[str, Value]:
    return {
        "gen_ai.provider.name": _PROVIDERS.get(ref.provider, ref.provider),
        "gen_ai.request.model": ref.model,
    }


def _token_attributes(usage: Usage) -> dict[str, int]:
    """Token counts as the conventions have them: input includes what was read from and written to a cache."""
    counts: dict[str, int] = {}
    if usage.input_tokens is not None:
        cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
        counts["gen_ai.usage.input_tokens"] = usage.input_tokens + cached
    if usage.output_tokens is not None:
        counts["gen_ai.usage.output_tokens"] = usage.output_tokens
    if usage.cache_read_tokens is not None:
        counts["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_tokens
    if usage.cache_write_tokens is not None:
        counts["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
    return counts


def _bounded(text: str) -> str:
    return redact_registered(text[:_CONTENT_CHARS])
