import json
from decimal import Decimal

from patchbay.app.cli.headless import configuration_error, to_json
from patchbay.app.cli.report import RunReport
from patchbay.app.engine.events import (
    CallPriced,
    Cost,
    CostSource,
    NoticeLevel,
    NoticePosted,
    ProviderActivity,
    RequestStarted,
    SessionEvent,
    Stamped,
    ToolActivity,
    TurnEnded,
    TurnOutcome,
    TurnStarted,
)
from patchbay.providers.base import ModelRef
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TextDelta,
    ToolCallEnd,
    Usage,
)
from patchbay.tools.events import Outcome, ToolRunFinished

REF = ModelRef(provider="p", model="m")


def report(*events: SessionEvent) -> RunReport:
    gathered = RunReport()
    for seq, event in enumerate(events, 1):
        gathered(Stamped(seq=seq, at=0.0, session_id="s", event=event))
    return gathered


def asked(request: str = "r1") -> RequestStarted:
    return RequestStarted(turn_id="t", request_id=request, ref=REF, dialect="d", estimated_input_tokens=1)


def got(event: ResponseEvent, request: str = "r1") -> ProviderActivity:
    return ProviderActivity(turn_id="t", request_id=request, event=event)


def said(text: str, request: str = "r1") -> ProviderActivity:
    return got(TextDelta(index=0, text=text), request)


def called(index: int, name: str, request: str = "r1") -> ProviderActivity:
    return got(ToolCallEnd(index=index, call_id="same-id", name=name, arguments={}), request)


def ran(index: int, outcome: Outcome, request: str = "r1") -> ToolActivity:
    finished = ToolRunFinished(run_id="x", outcome=outcome, content="", summary="", duration_s=0)
    return ToolActivity(turn_id="t", request_id=request, part_index=index, event=finished)


def priced(usage: Usage, amount: str | None, source: CostSource) -> CallPriced:
    cost = Cost(amount=None if amount is None else Decimal(amount), source=source)
    return CallPriced(
        turn_id="t", request_id="r1", ref=REF, usage=usage, cost=cost, duration_s=1.0, first_token_s=None, price=None
    )


def ended(outcome: TurnOutcome) -> TurnEnded:
    return TurnEnded(turn_id="t", outcome=outcome)


def stop(reason: StopReason, request: str = "r1") -> ProviderActivity:
    return got(ResponseEnd(stop_reason=reason), request)


def test_the_answer_is_what_was_said_last() -> None:
    done = report(
        TurnStarted(turn_id="t"),
        asked("r1"),
        said("Let me look.", "r1"),
        called(1, "read", "r1"),
        stop(StopReason.TOOL_CALLS, "r1"),
        ran(1, Outcome.OK, "r1"),
        asked("r2"),
        said("It is ", "r2"),
        said("fixed.", "r2"),
        stop(StopReason.END_TURN, "r2"),
        ended(TurnOutcome.DONE),
    )
    assert (done.text, done.stop_reason, done.turns, done.requests) == ("It is fixed.", "end_turn", 1, 2)
    assert done.tool_calls == [{"name": "read", "ok": True}]
    assert (done.exit_code, done.error) == (0, None)


def test_a_paused_answer_goes_on() -> None:
    done = report(asked("r1"), said("one ", "r1"), stop(StopReason.PAUSE_TURN, "r1"), asked("r2"), said("two", "r2"))
    assert done.text == "one two"


def test_calls_are_told_apart_by_place_not_by_id() -> None:
    done = report(
        asked("r1"), called(0, "read", "r1"), called(1, "bash", "r1"), ran(1, Outcome.ERROR, "r1"),
        ran(0, Outcome.OK, "r1"), asked("r2"), called(0, "edit", "r2"), ran(0, Outcome.OK, "r2"),
    )  # fmt: skip
    assert done.tool_calls == [
        {"name": "read", "ok": True}, {"name": "bash", "ok": False}, {"name": "edit", "ok": True},
    ]  # fmt: skip


def test_call_with_broken_arguments_counts_as_failed() -> None:
    broken = ToolCallEnd(index=0, call_id="c", name="read", arguments=InvalidArguments(raw="{", reason="cut"))
    assert report(asked(), got(broken), ran(0, Outcome.ERROR)).tool_calls == [{"name": "read", "ok": False}]


def test_denied_tool_has_an_exit_code_of_its_own() -> None:
    done = report(asked(), called(0, "bash"), ran(0, Outcome.DENIED), ended(TurnOutcome.DONE))
    assert done.exit_code == 3


def test_usage_is_summed_and_what_nobody_counted_stays_unknown() -> None:
    done = report(
        priced(Usage(input_tokens=10, output_tokens=2, cache_read_tokens=5), "0", CostSource.COMPUTED),
        priced(Usage(input_tokens=20, output_tokens=3), "0", CostSource.COMPUTED),
    )
    assert done.usage == {
        "input_tokens": 30,
        "cache_read_tokens": 5,
        "cache_write_tokens": None,
        "output_tokens": 5,
        "thinking_tokens": None,
    }


def test_cost_is_exact_and_as_certain_as_its_least_certain_part() -> None:
    done = report(
        priced(Usage(), "0.1", CostSource.REPORTED),
        priced(Usage(), "0.2", CostSource.ESTIMATED),
        priced(Usage(), "0.00000003", CostSource.COMPUTED),
    )
    assert done.summary("s")["cost"] == {"amount": "0.30000003", "currency": "USD", "source": "estimated"}


def test_tiny_cost_is_written_without_an_exponent() -> None:
    done = report(priced(Usage(), "0.00000014", CostSource.COMPUTED))
    assert done.summary("s")["cost"]["amount"] == "0.00000014"


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    done = report(priced(Usage(), "1", CostSource.COMPUTED), priced(Usage(), None, CostSource.UNKNOWN))
    assert done.summary("s")["cost"] == {"amount": None, "currency": "USD", "source": "unknown"}


def test_failure_says_what_the_server_said_and_keeps_the_text() -> None:
    error = ResponseError(kind=ErrorKind.OVERLOADED, message="busy", status=529, retryable=True)
    done = report(asked(), said("Half an ans"), got(error), ended(TurnOutcome.FAILED))
    assert (done.text, done.stop_reason, done.exit_code) == ("Half an ans", None, 1)
    assert done.error == {"kind": "overloaded", "message": "busy", "status": 529, "retryable": True}


def test_failure_that_was_followed_by_an_answer_is_none() -> None:
    error = ResponseError(kind=ErrorKind.OVERLOADED, message="busy")
    done = report(asked("r1"), got(error), asked("r2"), stop(StopReason.END_TURN, "r2"), ended(TurnOutcome.DONE))
    assert (done.error, done.exit_code) == (None, 0)


def test_failure_without_a_request_says_what_the_notice_said() -> None:
    notice = NoticePosted(message="No model is selected.", level=NoticeLevel.ERROR)
    done = report(notice, ended(TurnOutcome.FAILED))
    assert done.error == {"kind": "internal", "message": "No model is selected."}


def test_step_limit_and_interruption_are_errors() -> None:
    limit = report(asked(), ended(TurnOutcome.STEP_LIMIT))
    assert (limit.exit_code, (limit.error or {})["kind"]) == (5, "step_limit")
    stopped = report(asked(), ended(TurnOutcome.CANCELLED))
    assert (stopped.exit_code, (stopped.error or {})["kind"]) == (130, "cancelled")


def test_summary_has_every_field_of_its_contract() -> None:
    assert list(report().summary("s1")) == [
        "session_id", "text", "stop_reason", "turns", "requests", "tool_calls", "usage", "cost", "error",
    ]  # fmt: skip


def test_refused_run_has_the_same_shape() -> None:
    refused = configuration_error("no such model")
    assert refused["error"] == {"kind": "configuration", "message": "no such model"}
    assert list(refused) == list(report().summary("s"))


def test_json_is_one_line_readable_and_harmless_to_a_terminal() -> None:
    text = "é 日本\u009b31m\u202e\u2028\n\ud800"
    line = to_json({"text": text})
    assert "é 日本" in line
    assert line.isprintable()
    assert json.loads(line) == {"text": text}
    line.encode()
