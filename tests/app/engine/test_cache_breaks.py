"""What broke the cache: only real drops, each with its likeliest cause."""

from datetime import UTC
from pathlib import Path

import pytest

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.cache_breaks import (
    COMPACTED,
    EFFORT,
    INSTRUCTED,
    MODE,
    REWOUND,
    Happened,
    cache_breaks,
    read_happened,
)
from patchbay.app.engine.database import connect
from patchbay.app.engine.events import (
    EffortSelected,
    InstructionFile,
    InstructionsLoaded,
    ModeSelected,
    Rewound,
    SessionStarted,
)
from patchbay.app.engine.ledger_rows import LedgerCall
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.messages import Effort
from patchbay.tools.base import Mode

NOON = 1_700_049_600.0  # 2023-11-15 12:00 UTC


def call(number: int, *, read: int | None = None, written: int | None = None, **facts: object) -> LedgerCall:
    defaults: dict[str, object] = {
        "request_id": f"r{number}",
        "session_id": "s",
        "turn_id": "t",
        "at": NOON + 10.0 * number,
        "duration_s": 2.0,
        "provider": "anthropic",
        "model": "sonnet",
        "input_tokens": 10,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": 5,
    }
    return LedgerCall(**(defaults | facts))


def reasons(*calls: LedgerCall, happened: tuple[Happened, ...] = ()) -> list[tuple[str, ...]]:
    return [each.reasons for each in cache_breaks(calls, happened, zone=UTC).breaks]


def test_a_cache_that_grows_is_not_broken() -> None:
    found = cache_breaks([call(0, written=5000), call(1, read=5000, written=300), call(2, read=5300)], (), zone=UTC)
    assert (found.breaks, found.looked_at) == ((), 2)


def test_a_service_without_a_cache_never_breaks_one() -> None:
    found = cache_breaks([call(0), call(1), call(2, read=0)], (), zone=UTC)
    assert (found.breaks, found.looked_at) == ((), 0)


def test_less_than_a_block_is_no_loss() -> None:
    assert reasons(call(0, read=5000), call(1, read=4880)) == []
    (broken,) = cache_breaks([call(0, read=5000), call(1, read=3976)], (), zone=UTC).breaks
    assert (broken.lost_tokens, broken.request_id, broken.model) == (1024, "r1", "anthropic/sonnet")


def test_another_model_and_another_provider() -> None:
    assert reasons(call(0, written=5000), call(1, read=0, model="opus")) == [("model switched from sonnet to opus",)]
    switched = reasons(call(0, written=5000), call(1, provider="openai", model="gpt"))
    assert switched == [("provider switched from anthropic to openai",)]


def test_a_compaction_between_is_known_by_its_call_or_its_event() -> None:
    summary = call(1, purpose="compaction", cache_read_tokens=0)
    assert reasons(call(0, written=5000), summary, call(2, read=1000)) == [(COMPACTED,)]
    event = Happened(at=NOON + 5, reason=COMPACTED)
    assert reasons(call(0, written=5000), call(1, read=1000), happened=(event,)) == [(COMPACTED,)]


def test_titles_and_failed_calls_are_not_part_of_it() -> None:
    title = call(1, purpose="title", cache_read_tokens=0)
    failed = call(2, error_kind="overloaded", input_tokens=None)
    assert reasons(call(0, written=5000), title, failed, call(3, read=5000)) == []


def test_a_pause_a_new_day_and_nothing_at_all() -> None:
    late = call(1, read=0, at=NOON + 725)
    assert reasons(call(0, written=5000), late) == [("a pause of 12 min: most caches live 5 min",)]
    midnight = 1_700_006_400.0 - 6
    night = reasons(call(0, written=5000, at=midnight), call(1, read=0, at=midnight + 10))
    assert night == [("a new day: the date is part of the instructions",)]
    assert reasons(call(0, written=5000), call(1, read=0)) == [
        ("unknown: nothing changed here; the server may have dropped it",)
    ]
    assert reasons(call(0, written=5000), call(1)) == [("unknown: the server said nothing of its cache this time",)]


def test_several_causes_come_surest_first_and_only_what_lies_between_counts() -> None:
    happened = tuple(Happened(at=NOON + at, reason=reason) for at, reason in ((-9, EFFORT), (5, MODE), (6, REWOUND)))
    found = reasons(call(0, written=5000), call(1, read=0, model="opus"), happened=happened)
    assert found == [("model switched from sonnet to opus", REWOUND, MODE)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    database = tmp_path / "state" / "patchbay.db"
    ticks = iter(range(1000))
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: NOON + next(ticks))
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    one, two = (InstructionFile(path="AGENTS.md", text=text, digest=text) for text in ("one", "two"))
    for event in (
        SessionStarted(folder="/f", version="test"),
        InstructionsLoaded(files=(one,)),
        InstructionsLoaded(files=(one,)),
        InstructionsLoaded(files=(two,)),
        ModeSelected(mode=Mode.ASK),
        ModeSelected(mode=Mode.AUTO),
        ModeSelected(mode=Mode.PLAN),
        EffortSelected(effort=Effort.HIGH),
        EffortSelected(effort=Effort.HIGH),
        Rewound(prompt_id="p", conversation=False, files=True),
        Rewound(prompt_id="p", conversation=True, files=False),
    ):
        bus.publish(event)
    recorder.close()
    return database


def test_the_journal_tells_of_real_changes_only(journal: Path) -> None:
    connection = connect(journal)
    found = [each.reason for each in read_happened(connection, "s")]
    connection.close()
    assert found == [INSTRUCTED, INSTRUCTED, MODE, EFFORT, REWOUND]


def test_causes_are_told_from_the_whole_session_and_only_breaks_of_wanted_calls_are() -> None:
    calls = [
        call(0, written=5000),
        call(1, read=0, written=4000, model="opus"),
        call(2, read=1000, model="sonnet"),
        call(3, read=0, model="sonnet"),
    ]
    found = cache_breaks(calls, (), zone=UTC, wanted=lambda each: each.model == "sonnet")
    assert [(each.request_id, each.lost_tokens) for each in found.breaks] == [("r2", 3000), ("r3", 1000)]
    assert found.breaks[0].reasons == ("model switched from opus to sonnet",)
    assert found.looked_at == 2
