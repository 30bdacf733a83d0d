"""From a word on a hunk to the model's next request."""

import pytest

from patchbay.app.engine.codec import decode_event, encode
from patchbay.app.engine.review_events import HunkReviewed, ReviewVerdict
from patchbay.app.engine.reviews import NOTED_CHARACTERS, review_note
from patchbay.app.engine.state import NoticeEntry, PromptEntry, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.messages import UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.sessions import FakeToolbox, make_session

DIFF = " a\n-old\n+new\n b"


def review(verdict: ReviewVerdict = ReviewVerdict.REVERTED, comment: str = "keep it", **changes) -> HunkReviewed:
    base: dict = {"path": "a.py", "hunk": 1, "hunks": 3, "diff": DIFF}
    return HunkReviewed(**(base | changes), verdict=verdict, comment=comment)


def last_prompt(provider: ScriptedProvider) -> str:
    message = provider.requests[-1].messages[-1]
    assert isinstance(message, UserMessage)
    return "".join(block.text for block in message.blocks)


async def test_a_rejected_hunk_is_taken_back_and_the_next_request_carries_the_comment():
    provider = ScriptedProvider("fake", [answer(text("ok"), end()), answer(text("ok"), end())])
    toolbox = FakeToolbox()
    session, _ = make_session(provider, toolbox=toolbox)
    assert await session.review(review(), left="new\n", wanted="old\n") == ""
    assert toolbox.reverted == [("a.py", "new\n", "old\n")]
    assert session.state.files[0].after == "old\n"
    notice = session.state.transcript[-1]
    assert isinstance(notice, NoticeEntry)
    assert notice.message.startswith('You took back hunk 2 of 3 in a.py: "keep it".')
    session.submit("go on")
    await session.wait_idle()
    sent = last_prompt(provider)
    assert "hunk 2 of 3 in a.py was rejected: keep it" in sent
    assert "  -old\n  +new\n" in sent
    assert sent.endswith("</patchbay-note>\ngo on")
    session.submit("and on")
    await session.wait_idle()
    assert last_prompt(provider) == "and on"
    assert "keep it" in str(provider.requests[-1].messages[0])


async def test_what_cannot_be_taken_back_is_said_and_tells_the_model_nothing():
    toolbox = FakeToolbox()
    toolbox.revert_problem = "somebody changed them"
    session, _ = make_session(ScriptedProvider("fake", []), toolbox=toolbox)
    assert await session.review(review(), left="new\n", wanted="old\n") == "somebody changed them"
    assert session.state.untold_reviews == ()
    assert session.state.transcript == ()


async def test_nothing_is_taken_back_while_a_turn_runs():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("ok"), end())]))
    session.submit("go")
    assert "wait for its end" in await session.review(review(), left="new\n", wanted="old\n")
    assert await session.review(review(ReviewVerdict.ACCEPTED, "")) == ""
    await session.wait_idle()


async def test_the_newest_word_on_a_hunk_holds():
    session, _ = make_session(ScriptedProvider("fake", []))
    await session.review(review(ReviewVerdict.COMMENTED, "why?"))
    assert [each.comment for each in session.state.untold_reviews] == ["why?"]
    await session.review(review(ReviewVerdict.ACCEPTED, ""))
    assert [each.verdict for each in session.state.reviews] == [ReviewVerdict.ACCEPTED]
    assert session.state.untold_reviews == ()
    await session.review(review(ReviewVerdict.CLEARED, ""))
    assert session.state.reviews == ()


async def test_a_resumed_session_still_tells_the_model():
    session, recording = make_session(ScriptedProvider("fake", []))
    await session.review(review(ReviewVerdict.COMMENTED, "why?"))
    store = SessionStore(SessionState(session_id="s1"))
    assert store.replay(recording.stamped) == session.state
    assert store.state.untold_reviews[0].comment == "why?"


@pytest.mark.parametrize("verdict", list(ReviewVerdict))
def test_a_review_survives_the_journal(verdict: ReviewVerdict):
    assert decode_event(encode(review(verdict))) == review(verdict)


def test_the_note_is_bounded_and_names_each_hunk():
    long = review(diff="+x\n" * NOTED_CHARACTERS)
    note = review_note((review(ReviewVerdict.COMMENTED, "nice"), long))
    assert "hunk 2 of 3 in a.py stays, with a comment: nice" in note
    assert "[the rest of the hunk is left out]" in note
    assert len(note) < 5 * NOTED_CHARACTERS
    assert review_note(()) == ""


def test_an_old_prompt_has_no_note():
    assert PromptEntry(prompt_id="p", text="x", at=1.0).note == ""
