import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.events import CallPriced, CallPurpose, SideCallStarted, TitleProposed
from patchbay.app.engine.titles import MAX_CELLS, MAX_TOKENS, TitleWriter, clean_title
from patchbay.providers.base import ProviderConfigError
from patchbay.providers.events import ErrorKind, ResponseStart, StopReason
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, usage
from support.sessions import cost_of, make_session, model


def titled(*steps, found=True):
    """A session that answers twice, and the title model's provider."""
    session, recording = make_session(
        ScriptedProvider("fake", [answer(text("It splits at commas."), usage(100, 10), end())] * 2)
    )
    small = ScriptedProvider("small", list(steps))

    async def title_model():
        if isinstance(found, Exception):
            raise found
        return (model("small", "tiny"), small) if found else None

    writer = TitleWriter(session.bus, title_model, cost_of)
    session.bus.attach(writer.hear)
    return session, recording, small, writer


async def ask(session, prompt="Why does the parser split at commas?"):
    session.submit(prompt)
    await session.wait_idle()
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_first_answer_gets_a_title_once_and_a_ledger_row():
    session, recording, small, _ = titled(answer(text('"Parser splits at commas."'), usage(50, 5), end()))
    await ask(session)
    await ask(session, "And tabs?")
    (event,) = recording.of(TitleProposed)
    assert (event.title, str(event.ref)) == ("Parser splits at commas", "small/tiny")
    assert session.state.title == "Parser splits at commas"
    rows = [row for row in recording.of(CallPriced) if row.purpose is CallPurpose.TITLE]
    assert [str(row.ref) for row in rows] == ["small/tiny"]
    (request,) = small.requests
    assert request.max_tokens == MAX_TOKENS
    assert not request.tools
    assert "Why does the parser" in str(request.messages) and "It splits at commas." in str(request.messages)


@pytest.mark.parametrize(
    "step",
    [
        fail(ErrorKind.RATE_LIMIT, "no key"),
        answer(text(" \n "), end()),
        answer(text("Sure, here is a very good title for your conversation which"), end(StopReason.MAX_TOKENS)),
    ],
)
async def test_a_failure_is_silent_and_the_session_goes_on(step):
    session, recording, _, _ = titled(step)
    await ask(session)
    before = len(session.state.transcript)
    assert recording.of(TitleProposed) == []
    assert len(recording.of(SideCallStarted)) == 1
    await ask(session, "And tabs?")
    assert len(session.state.transcript) == before + 2, "only the prompt and its answer"


@pytest.mark.parametrize("found", [False, ProviderConfigError("Unknown provider 'small'.")])
async def test_nobody_is_asked_when_there_is_no_model_or_a_name(found):
    session, recording, _, _ = titled(found=found)
    await ask(session)
    assert recording.of(SideCallStarted, TitleProposed) == []


async def test_closing_stops_the_call_and_prices_it():
    gate = asyncio.Event()

    async def never(_request):
        yield ResponseStart()
        await gate.wait()

    session, recording, _, writer = titled(never)
    await ask(session)
    await writer.aclose()
    assert [row.purpose for row in recording.of(CallPriced)] == [CallPurpose.ANSWER, CallPurpose.TITLE]
    assert session.state.side_calls == ()


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ('**Title: "Quoted commas survive"**\nMore words', "Quoted commas survive"),
        ("\n\n# Fix the parser.\n", "Fix the parser"),
        ("\x1b]0;owned\x07Parser\x1b[31m fix", "Parser fix"),
        ("   ", ""),
        ("x" * 80, "x" * 59 + "…"),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", None),
        ("灯台" * 40, None),
    ],
)
def test_a_title_is_one_short_safe_line(said, title):
    cleaned = clean_title(said)
    if title is not None:
        assert cleaned == title
    else:
        assert cleaned.endswith("…")


@given(st.text())
def test_no_answer_breaks_the_line(said):
    from rich.cells import cell_len

    title = clean_title(said)
    assert "\n" not in title
    assert cell_len(title) <= MAX_CELLS + 1
