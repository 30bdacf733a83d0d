from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.codec import decode_event, decode_stamped, encode
from patchbay.app.engine.events import (
    CallPriced,
    Cost,
    CostSource,
    EffortSelected,
    ModelSelected,
    ModeSelected,
    ProviderActivity,
    Stamped,
    ToolActivity,
)
from patchbay.providers.base import ModelInfo, ModelRef, Price
from patchbay.providers.events import InvalidArguments, OpaqueBlock, TextDelta, ThinkingStart, ToolCallEnd, Usage
from patchbay.providers.messages import Effort
from patchbay.tools.base import Mode
from patchbay.tools.events import (
    ApprovalResolved,
    Decision,
    HunkAnswer,
    Outcome,
    TodoChanged,
    TodoItem,
    TodoStatus,
    ToolRunFinished,
)

REF = ModelRef(provider="ollama", model="qwen3-coder:30b")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "$type", "type", "value"]), inner),
)


def activity(event):
    return ProviderActivity(turn_id="t", request_id="r", event=event)


@pytest.mark.parametrize(
    "event",
    [
        activity(TextDelta(index=0, text="a\u2028b")),
        activity(ThinkingStart(index=3)),
        activity(ToolCallEnd(index=0, call_id="c", name="n", arguments=InvalidArguments(raw="{", reason="cut"))),
        ToolActivity(
            turn_id="t",
            request_id="r",
            part_index=0,
            event=ToolRunFinished(
                run_id="x", outcome=Outcome.DENIED, content="no", summary="denied", duration_s=0.5, exit_status=None
            ),
        ),
        ModelSelected(
            model=ModelInfo(ref=REF, price=Price(input_per_mtok=Decimal("0.10"), output_per_mtok=Decimal(2))),
            dialect="d",
        ),
        EffortSelected(effort=Effort.MAX),
        ModeSelected(mode=Mode.ACCEPT_EDITS, protection="landlock"),
        ToolActivity(
            turn_id="t",
            request_id="r",
            part_index=0,
            event=ApprovalResolved(
                approval_id="a",
                run_id="x",
                decision=Decision.ONCE,
                hunks=(HunkAnswer(path="a.py", hunk=1, accepted=False, comment="why", text=None),),
            ),
        ),
        ToolActivity(
            turn_id="t",
            request_id="r",
            part_index=0,
            event=TodoChanged(run_id="x", items=(TodoItem(text="look", status=TodoStatus.DONE),)),
        ),
        CallPriced(
            turn_id="t",
            request_id="r",
            ref=REF,
            usage=Usage(input_tokens=1, reported_cost=Decimal("0.000001")),
            cost=Cost(amount=Decimal("0.10"), source=CostSource.REPORTED),
            price=None,
            duration_s=1.0,
            first_token_s=None,
        ),
    ],
)
def test_events_survive_json(event):
    stamped = Stamped(seq=7, at=1.5, session_id="s", event=event)
    decoded = decode_stamped(encode(stamped))
    assert decoded == stamped
    assert type(decoded.event) is type(event)


def test_decimals_keep_their_digits():
    cost = encode(Cost(amount=Decimal("0.10"), source=CostSource.REPORTED))
    assert cost["amount"] == "0.10"


@given(st.dictionaries(st.sampled_from(["a", "$type", "raw", "reason"]), JSON))
def test_a_models_json_never_becomes_one_of_our_events(arguments):
    call = activity(ToolCallEnd(index=0, call_id="c", name="n", arguments=arguments))
    assert decode_event(encode(call)).event.arguments == arguments
    opaque = activity(OpaqueBlock(index=0, kind="k", payload=arguments))
    assert decode_event(encode(opaque)).event.payload == arguments


@pytest.mark.parametrize("row", [{"$type": "Nonsense"}, {"$type": "TurnStarted", "wrong": 1}, {"$type": "TurnStarted"}])
def test_unknown_rows_are_refused_by_name(row):
    with pytest.raises(ValueError, match="not an event"):
        decode_event(row)
