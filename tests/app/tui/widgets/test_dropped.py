"""What a compaction dropped, as text: the words in full, long results and whole libraries of it in part."""

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.compaction_events import Compacted, CompactionCause, CompactionMethod
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.tui.widgets.dropped import MOST_CHARS, RESULT_CHARS, dropped_text
from support.past_turns import publish_turn


def compacted_session(turns: int, *, said: str = "fine", result: str = "a\nb") -> SessionState:
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    for number in range(turns):
        publish_turn(bus, str(number), prompt=f"prompt {number}", text=f"{said} {number}", result=result)
    bus.publish(
        Compacted(summary="All went well.", method=CompactionMethod.MODEL, cause=CompactionCause.ASKED, kept_from="")
    )
    return bus.store.state


def shown(state: SessionState) -> str:
    return dropped_text(state, len(state.transcript) - 1)


def test_words_are_there_in_full_and_a_long_result_in_part() -> None:
    told = shown(compacted_session(2, said="word " * 5_000, result="r" * RESULT_CHARS + "gone" * 100))
    assert "All went well." in told and "> prompt 0" in told and "> prompt 1" in told
    assert told.count("word ") == 10_000
    assert "r" * RESULT_CHARS + "\n(400 more characters: in the tool log, and in exports)" in told
    assert "gone" not in told


def test_a_result_that_fits_is_not_cut() -> None:
    assert "more characters" not in shown(compacted_session(1, result="r" * RESULT_CHARS))


def test_of_very_much_the_beginning_is_shown_and_it_is_said() -> None:
    told = shown(compacted_session(100, said="word " * 1_000))
    assert MOST_CHARS < len(told) < MOST_CHARS + 5_000
    assert told.endswith("(There is more: `patchbay sessions export` writes all of it.)")
    assert "> prompt 0" in told and "> prompt 99" not in told
