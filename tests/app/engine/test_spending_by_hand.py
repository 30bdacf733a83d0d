"""A session over three providers, with everything that costs money beside the answers, against money by hand."""

from decimal import Decimal
from pathlib import Path

import pytest

from patchbay.app.engine.events import CostSource
from patchbay.app.engine.ledger_rows import Query
from patchbay.app.engine.spending import CONVERSATION, By
from patchbay.app.engine.spending_report import SpendingReport
from support import three_providers as money
from support.three_providers import Costly


@pytest.fixture
async def costly(tmp_path: Path) -> Costly:
    played = Costly(tmp_path / "state" / "patchbay.db")
    await played.play()
    yield played
    played.recorder.close()


async def by(costly: Costly, kind: By) -> SpendingReport:
    return await costly.ledger.read(Query(session_id="session-costly"), kind)


def costs(found: SpendingReport) -> dict[str, Decimal]:
    return {each.key: each.cost for each in found.groups}


def guessed(costly: Costly) -> Decimal:
    """The answer that broke off: what was sent and what came, estimated from characters at Sonnet's price."""
    last = costly.session.state.transcript[-1]
    return (last.estimated_input_tokens * 3 + round(7 / Decimal("3.7")) * 15) / Decimal(1_000_000)


async def test_the_sum_is_what_one_gets_by_hand(costly: Costly) -> None:
    found = await by(costly, By.MODEL)
    assert found.total.cost == money.KNOWN + guessed(costly)
    assert found.total.cost == costly.session.state.totals.cost
    assert found.total.calls == costly.session.state.totals.calls == 9
    assert (found.total.unknown_calls, found.total.errors, found.total.estimated_calls) == (1, 2, 1)
    assert found.total.by_source == {
        CostSource.REPORTED: money.REPORTED,
        CostSource.COMPUTED: money.KNOWN - money.REPORTED,
        CostSource.ESTIMATED: guessed(costly),
    }


async def test_by_model_and_provider_with_the_calls_beside_the_conversation(costly: Costly) -> None:
    sonnet = money.TOOLS_CALLED + money.TOOLS_TOLD + money.COMPACTED + guessed(costly)
    assert costs(await by(costly, By.MODEL)) == {
        "anthropic/sonnet": sonnet,
        "openai/gpt": money.TITLE + money.SWITCHED,
        "openrouter/maker/model": money.REPORTED,
        "openrouter/=HYPERLINK(1)": 0,
    }
    assert costs(await by(costly, By.PROVIDER)) == {
        "anthropic": sonnet,
        "openai": money.TITLE + money.SWITCHED,
        "openrouter": money.REPORTED,
    }
    assert costs(await by(costly, By.PURPOSE)) == {
        "compaction": money.COMPACTED,
        "title": money.TITLE,
        "answer": money.KNOWN - money.COMPACTED - money.TITLE + guessed(costly),
    }


async def test_by_tool_a_call_is_charged_to_the_results_it_brings_to_the_model(costly: Costly) -> None:
    found = costs(await by(costly, By.TOOL))
    assert found["read"] == Decimal("0.0066645")
    assert found["bash"] == Decimal("0.0022215")
    assert found["read"] + found["bash"] == money.TOOLS_TOLD
    assert found["(title)"] == money.TITLE
    assert found["(compaction)"] == money.COMPACTED
    assert found[CONVERSATION] == money.TOOLS_CALLED + money.SWITCHED + money.REPORTED + guessed(costly)


async def test_by_turn_with_the_prompt_and_what_happens_between(costly: Costly) -> None:
    found = await by(costly, By.TURN)
    assert [(each.label, each.cost) for each in found.groups] == [
        ("read the parser and run the tests", money.TOOLS_CALLED + money.TOOLS_TOLD),
        ("between turns", money.TITLE + money.COMPACTED),
        ("and the lexer?", money.SWITCHED),
        ("go on", money.REPORTED),
        ("what do you cost?", 0),
        ("and break off", guessed(costly)),
    ]


async def test_tokens_by_class_and_the_cache(costly: Costly) -> None:
    found = await by(costly, By.MODEL)
    sonnet = next(each for each in found.groups if each.key == "anthropic/sonnet")
    assert (sonnet.cache_read_tokens, sonnet.cache_write_tokens) == (11_200, 10_640)
    assert sonnet.input_tokens == 1200 + 42 + 200_001 + costly.session.state.transcript[-1].estimated_input_tokens
    assert sonnet.output_tokens == 350 + 200 + 1000 + 2
    assert found.cache is not None
    (broken,) = found.cache.breaks
    assert (broken.lost_tokens, broken.model) == (11_840, "openai/gpt")
    assert broken.reasons[0] == "provider switched from anthropic to openai"


async def test_what_was_paid_stays_paid_when_prices_change_and_sessions_go(costly: Costly) -> None:
    from patchbay.app.engine import archive
    from patchbay.app.engine.database import connect

    before = {kind: costs(await by(costly, kind)) for kind in By if kind is not By.TURN}
    connection = connect(costly.ledger.database)
    assert archive.purge(connection, removed_before=0, idle_before=4e9)
    connection.close()
    costly.ledger.live.calls.clear()
    costly.ledger.live.uses.clear()
    after = {kind: costs(await by(costly, kind)) for kind in By if kind is not By.TURN}
    assert after == before
    there = await costly.ledger.read(Query(folder="/src/shop"), By.SESSION)
    assert there.total.cost == costly.session.state.totals.cost
    assert there.groups[0].label == "(deleted, or without a prompt)"


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize(("model", "lost"), [("gpt", [11_840]), ("anthropic/sonnet", [])])
async def test_a_filter_leaves_out_breaks_and_names_no_other_cause(
    costly: Costly, model: str, lost: list[int], saved: bool
) -> None:
    if not saved:
        costly.ledger.database = None
    query = Query(session_id=costly.session.state.session_id, model=model)
    found = (await costly.ledger.read(query, By.MODEL)).cache
    assert found is not None
    assert [each.lost_tokens for each in found.breaks] == lost
    assert [each.reasons[0] for each in found.breaks] == ["provider switched from anthropic to openai"] * len(lost)
