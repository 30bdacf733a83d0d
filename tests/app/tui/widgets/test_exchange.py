"""The raw exchange screen: what it shows of an exchange, and which one."""

import json
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot
from textual.widgets import TextArea

from patchbay.app.engine.state import AnswerEntry, PromptEntry
from patchbay.app.tui.panes.chat import ChatPane
from patchbay.app.tui.widgets.exchange import ExchangeScreen, chosen_exchange, reply_text, request_text
from patchbay.providers.base import Exchange, ModelRef
from patchbay.providers.exchanges import ExchangeLog
from patchbay.providers.scripted import ScriptedProvider, end, text
from patchbay.providers.scripted import answer as answer_of
from support.screens import on_screen
from support.sessions import make_session
from support.widget_app import WidgetApp

REQUEST = {"model": "m-1", "messages": [{"role": "user", "content": "Grüße"}]}


def exchange(number: int = 1, **changes: Any) -> Exchange:
    body = f"data: answer {number}\n\n"
    made = Exchange(
        number=number,
        at=100.0 * number,
        provider="openrouter",
        dialect="openai_chat",
        model="m-1",
        method="POST",
        path="/api/v1/chat/completions",
        request_headers={"authorization": "[redacted]", "accept": "*/*"},
        request_body=json.dumps(REQUEST),
        status=200,
        response_headers={"content-type": "text/event-stream"},
        response_body=body,
        response_bytes=len(body),
        clipped=False,
        ended=True,
        cut=False,
    )
    return replace(made, **changes)


class Kept:
    """Exchanges that were kept."""

    def __init__(self, *exchanges: Exchange) -> None:
        self.all = {each.number: each for each in exchanges}

    def index(self) -> list[tuple[int, float]]:
        return [(each.number, each.at) for each in self.all.values()]

    def exchange(self, number: int) -> Exchange | None:
        return self.all.get(number)


def answer(started_at: float, ended_at: float | None, provider: str = "openrouter") -> AnswerEntry:
    return AnswerEntry(
        request_id="r",
        turn_id="t",
        ref=ModelRef(provider=provider, model="m-1"),
        dialect="openai_chat",
        started_at=started_at,
        ended_at=ended_at,
        cost=None,
    )


async def shown(pilot: Pilot[None], kept: Kept, number: int) -> WidgetApp:
    app = pilot.app
    assert isinstance(app, WidgetApp)
    await app.push_screen(ExchangeScreen(kept, number))
    await pilot.pause()
    return app


# -- texts ------------------------------------------------------------------------------------------------------------


def test_a_json_request_is_laid_out_and_keeps_its_letters() -> None:
    text = request_text(exchange())
    assert text.startswith("authorization: [redacted]\naccept: */*\n\n{\n")
    assert json.loads(text.partition("\n\n")[2]) == REQUEST
    assert '      "content": "Grüße"\n' in text


def test_a_request_that_is_no_json_is_shown_as_it_is() -> None:
    assert request_text(exchange(request_headers={}, request_body='{"cut off')) == '{"cut off'


def test_a_reply_is_shown_as_it_came_with_its_control_characters_visible() -> None:
    text = reply_text(exchange(response_body="data: \x1b]0;mine\x07\r\n\ttab"))
    assert text == "content-type: text/event-stream\n\ndata: ⟨U+001B⟩]0;mine⟨U+0007⟩⟨U+000D⟩\n\ttab"


def test_headers_cannot_steer_the_terminal_either() -> None:
    assert "⟨U+001B⟩" in reply_text(exchange(response_headers={"x": "\x1b[2J"}))
    assert "⟨U+001B⟩" in request_text(exchange(request_headers={"x": "\x1b[2J"}))


def test_what_was_not_kept_is_said() -> None:
    assert "300,000 bytes came; the rest is not kept" in reply_text(exchange(response_bytes=300_000, clipped=True))
    assert "not kept" not in reply_text(exchange())


# -- which one --------------------------------------------------------------------------------------------------------


def test_an_answer_shows_its_own_exchange_and_the_last_one_of_its_retries() -> None:
    kept = Kept(
        exchange(1), exchange(2), exchange(3), exchange(4, model=""), exchange(5, provider="other"), exchange(6)
    )
    assert chosen_exchange(kept, answer(99.0, 150.0)) == 1
    assert chosen_exchange(kept, answer(150.0, 350.0)) == 3
    assert chosen_exchange(kept, answer(250.0, 550.0)) == 3, "neither a list of models nor another provider"
    assert chosen_exchange(kept, answer(450.0, 550.0, provider="other")) == 5
    assert chosen_exchange(kept, answer(350.0, None)) == 6, "an answer that still streams"


def test_everything_else_shows_the_latest() -> None:
    kept = Kept(exchange(1), exchange(2), exchange(3, model=""))
    assert chosen_exchange(kept, None) == 2, "not the list of models that was asked for after it"
    assert chosen_exchange(Kept(exchange(3, model="")), None) == 3
    assert chosen_exchange(kept, PromptEntry(prompt_id="p", text="x", at=1.0)) == 2
    assert chosen_exchange(kept, answer(1.0, 2.0)) == 2, "it is no longer kept"
    assert chosen_exchange(Kept(), answer(1.0, 2.0)) is None


# -- the screen -------------------------------------------------------------------------------------------------------


async def test_title_captions_and_texts() -> None:
    async with WidgetApp(lambda: ()).run_test(size=(140, 30)) as pilot:
        app = await shown(pilot, Kept(exchange(1), exchange(2, cut=True)), 2)
        rows = app.screen_text()
        text = "\n".join(rows)
        for part in ("Exchange 2 of 2", "openrouter · m-1", "openai_chat", "POST /api/v1/chat/completions"):
            assert part in text
        assert "200   16 bytes, cut off" in text
        (both,) = [row for row in rows if "POST" in row]
        assert "200" in both, "side by side"
        assert app.screen.query_one("#reply", TextArea).text.endswith("data: answer 2\n\n")


async def test_narrow_screens_stack_the_two() -> None:
    async with WidgetApp(lambda: ()).run_test(size=(80, 24)) as pilot:
        rows = (await shown(pilot, Kept(exchange()), 1)).screen_text()
        request = next(at for at, row in enumerate(rows) if "POST" in row)
        reply = next(at for at, row in enumerate(rows) if "200   16 bytes" in row)
        assert reply > request + 3
        assert any("data: answer 1" in row for row in rows)


async def test_keys() -> None:
    kept = Kept(exchange(4), exchange(7), exchange(9, status=None, ended=False))
    async with WidgetApp(lambda: ()).run_test(size=(140, 30)) as pilot:
        app = await shown(pilot, kept, 7)
        seen: list[str] = []
        for key in ("left", "left", "right", "right", "right"):
            await pilot.press(key)
            seen.append(next(row for row in app.screen_text() if "Exchange" in row).split("of")[0].split()[-1])
        assert seen == ["1", "1", "2", "3", "3"]
        assert any("no reply" in row for row in app.screen_text())
        assert app.focused is app.screen.query_one("#reply")
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#request")
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#reply")
        await pilot.press("escape")
        assert not isinstance(app.screen, ExchangeScreen)


async def test_a_step_reads_a_reply_that_is_still_coming_again() -> None:
    kept = Kept(exchange(1, ended=False, response_body="data: be", response_bytes=8))
    async with WidgetApp(lambda: ()).run_test(size=(140, 30)) as pilot:
        app = await shown(pilot, kept, 1)
        assert any("still coming" in row for row in app.screen_text())
        kept.all[1] = exchange(1)
        await pilot.press("right")
        assert app.screen.query_one("#reply", TextArea).text.endswith("data: answer 1\n\n")
        assert not any("still coming" in row for row in app.screen_text())


# -- on the main screen -----------------------------------------------------------------------------------------------


def asked(log: ExchangeLog, body: str) -> None:
    exchange = log.begin(
        provider="fake",
        dialect="openai_chat",
        asks=True,
        method="POST",
        path="/v1/chat/completions",
        headers=[],
        body=b'{"model": "demo"}',
    )
    log.answered(exchange, 200, [])
    exchange.add(body.encode())
    exchange.whole = True
    log.end(exchange)


async def test_the_key_shows_the_last_exchange_or_that_of_the_selected_answer() -> None:
    session, _ = make_session(ScriptedProvider("fake", [answer_of(text("one"), end()), answer_of(text("two"), end())]))
    async with on_screen(session) as desk:
        log = desk.app._control.exchanges
        log._clock = lambda: session.state.transcript[-1].ended_at if session.state.transcript else 0.0
        for prompt in ("first", "second"):
            await desk.type(prompt)
            await desk.idle()
            asked(log, f"reply to the {prompt}")
        await desk.pilot.press("f3")
        assert desk.app.screen.query_one("#reply", TextArea).text.strip() == "reply to the second"
        await desk.pilot.press("f3")
        assert not isinstance(desk.app.screen, ExchangeScreen)

        chat = desk.screen.query_one(ChatPane)
        chat.focus()
        for _ in range(20):
            chat.select_previous_cell()
            entry = chat.selected_entry
            if isinstance(entry, AnswerEntry) and "'one'" in str(entry.parts):
                break
        await desk.pilot.press("f3")
        assert desk.app.screen.query_one("#reply", TextArea).text.strip() == "reply to the first"


async def test_without_any_exchange_it_says_so() -> None:
    session, _ = make_session(ScriptedProvider("fake", []))
    async with on_screen(session) as desk:
        await desk.type("/wire")
        await desk.pilot.pause()
        assert not isinstance(desk.app.screen, ExchangeScreen)
        assert [each.message for each in desk.app._notifications] == ["Nothing was exchanged with a provider yet."]
