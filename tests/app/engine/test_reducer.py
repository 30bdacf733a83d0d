from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import ProviderActivity, RequestStarted, Stamped
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.state import AnswerEntry, Phase, SessionState, StreamText, TextPart
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelRef
from patchbay.providers.events import TextDelta, TextStart
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, thinking, tool_call, usage
from patchbay.tools.events import ToolOutputDelta
from support.session_states import streaming
from support.sessions import FakeToolbox, make_session, model

REF = ModelRef(provider="p", model="m")


@given(st.lists(st.text(min_size=1)), st.lists(st.text(min_size=1), min_size=1))
def test_stream_text_never_changes_what_an_older_state_sees(first, later):
    text_ = StreamText()
    for piece in first:
        text_ = text_.appended(piece)
    branch = text_
    for piece in later:
        text_ = text_.appended(piece)
    assert str(branch) == "".join(first)
    assert str(text_) == "".join(first + later)
    assert str(branch.appended("x")) == "".join(first) + "x"
    assert "".join(text_.since(branch.count)) == "".join(later)
    assert text_.chars == len(str(text_))


def test_phases_of_a_request():
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    assert bus.store.state.phase is Phase.IDLE
    bus.publish(RequestStarted(turn_id="t", request_id="r", ref=REF, dialect="d", estimated_input_tokens=5))
    assert bus.store.state.phase is Phase.WAITING
    bus.publish(ProviderActivity(turn_id="t", request_id="r", event=TextStart(index=0)))
    assert bus.store.state.phase is Phase.STREAMING


def test_reduce_is_pure_on_closed_state():
    state = streaming(3)
    event = Stamped(
        seq=9,
        at=2.0,
        session_id="s",
        event=ProviderActivity(turn_id="t", request_id="r", event=TextDelta(index=0, text="x")),
    )
    one, two = reduce(state, event), reduce(state, event)
    assert one == two
    assert one is not state
    assert str(state.answer.parts[0].text) == "word " * 3


async def test_replaying_the_events_gives_the_same_closed_state():
    async def shell(_arguments, emit, _approve):
        emit(ToolOutputDelta(run_id="unused", text="line"))
        return "out"

    provider = ScriptedProvider(
        "fake",
        [
            answer(
                thinking("hm", signature="sig"),
                text("I look."),
                tool_call("c1", "bash", {"command": "ls"}),
                usage(10, 5),
                end(),
            ),
            answer(text("Done."), usage(20, 3), end()),
        ],
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(bash=shell))
    session.submit("go")
    await session.wait_idle()
    replayed = SessionStore(SessionState(session_id="s1")).replay(recording.stamped)
    assert replayed == session.state
    closed = [entry for entry in replayed.transcript if isinstance(entry, AnswerEntry)]
    assert [str(part.text) for entry in closed for part in entry.parts if isinstance(part, TextPart)] == [
        "I look.",
        "Done.",
    ]
    assert replayed.totals.input_tokens == 30
    assert replayed.context_tokens == 23


async def test_what_one_model_counted_is_an_estimate_for_the_next():
    steps = [answer(text("hi"), usage(900, 9), end()), answer(text("ho"), usage(1000, 9), end())]
    session, _ = make_session(ScriptedProvider("fake", steps))
    session.submit("hello")
    await session.wait_idle()
    assert session.state.context_tokens and not session.state.context_estimated
    session.select_model(replace(model("other"), context_window=4000), "scripted")
    assert session.state.context_tokens and session.state.context_estimated
    session.select_model(model(), "scripted")
    session.submit("again")
    await session.wait_idle()
    assert not session.state.context_estimated
