"""Images from the clipboard as a person meets them: the key, the command, an empty paste, and what becomes of them."""

import asyncio
import base64
import os
from dataclasses import replace

import pytest
from textual import events

from patchbay.app.cli.attaching import PersonAttaching
from patchbay.app.cli.pasting import ClipboardPasting, find_pasted
from patchbay.app.engine.events import Attachment, AttachmentKind
from patchbay.app.engine.state import PromptEntry
from patchbay.app.pasted_images import PastedImages
from patchbay.app.paths import find_paths
from patchbay.app.tui.pasting import Pasted, PasteError
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.rewind import RewindChoice
from patchbay.providers.messages import ImageBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.clipboards import PNG, Programs
from support.screens import on_screen
from support.sessions import make_session, model

MENTION = "@pasted-0123456789ab.png"


class Clipboard:
    """Hands out what it was given, when it may."""

    def __init__(self, *given: str | Exception, concern: str = "") -> None:
        self.given = list(given)
        self.concern = concern
        self.asked = 0
        self.kept = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def paste(self, model):
        self.asked += 1
        await self.gate.wait()
        one = self.given[min(self.asked, len(self.given)) - 1]
        if isinstance(one, Exception):
            raise one
        return Pasted(mention=one, said="From the clipboard: PNG image, 1 kB.", concern=self.concern)

    async def keep(self, attachments):
        self.kept += attachments


def a_session(**options):
    provider = ScriptedProvider("fake", [answer(text("ok"), end())] * 4)
    session, _ = make_session(provider, select=replace(model(), vision=True), **options)
    return session, provider


def prompt_of(desk) -> Prompt:
    return desk.screen.query_one(Prompt)


def toasts(desk) -> list[str]:
    return [each.message for each in desk.app._notifications]


async def settled(desk):
    await desk.when(lambda: prompt_of(desk)._awaited is None)


@pytest.mark.parametrize("key", ["ctrl+v", "alt+i"])
async def test_a_key_puts_the_image_into_the_prompt_and_one_stroke_takes_it_out(key):
    session, _ = a_session()
    async with on_screen(session, pasting=Clipboard(MENTION)) as desk:
        prompt = prompt_of(desk)
        prompt.replace_all("what is")
        await desk.pilot.press(key)
        await settled(desk)
        assert prompt.text == f"what is {MENTION} "
        assert toasts(desk) == ["From the clipboard: PNG image, 1 kB."]
        await desk.pilot.press(*"this?")
        assert prompt.text == f"what is {MENTION} this?"
        prompt.move_cursor((0, len(f"what is {MENTION} ")))
        await desk.pilot.press("backspace")
        assert prompt.text == "what is this?"
        await desk.pilot.press("ctrl+z")
        assert prompt.text == f"what is {MENTION} this?"


async def test_the_command_and_an_empty_paste_do_the_same():
    session, _ = a_session()
    clipboard = Clipboard(MENTION)
    async with on_screen(session, pasting=clipboard) as desk:
        await desk.type("/paste")
        await settled(desk)
        assert prompt_of(desk).text == f"{MENTION} "
        await desk.type("")  # it is sent like anything else
        await desk.when(lambda: any(isinstance(entry, PromptEntry) for entry in session.state.transcript))
        await desk.type("/paste what is wrong here?")
        await settled(desk)
        assert prompt_of(desk).text == f"{MENTION} what is wrong here?"
        prompt_of(desk).replace_all("")
        prompt_of(desk).post_message(events.Paste(""))
        await desk.when(lambda: clipboard.asked == 3)
        await settled(desk)
        assert prompt_of(desk).text == f"{MENTION} "
        await desk.idle()


async def test_enter_waits_for_the_image_and_what_is_typed_meanwhile_stands_after_it():
    session, _ = a_session()
    clipboard = Clipboard(MENTION)
    clipboard.gate.clear()
    async with on_screen(session, pasting=clipboard) as desk:
        prompt = prompt_of(desk)
        prompt.replace_all("look: ")
        await desk.pilot.press("ctrl+v", "ctrl+v", *"why", "enter")
        await desk.when(lambda: clipboard.asked == 1)
        assert prompt.text == "look: why"
        assert session.state.transcript == ()
        clipboard.gate.set()
        await desk.when(lambda: any(isinstance(entry, PromptEntry) for entry in session.state.transcript))
        await desk.idle()
        assert next(e for e in session.state.transcript if isinstance(e, PromptEntry)).text == f"look: {MENTION} why"
        assert clipboard.asked == 1


async def test_without_an_image_the_text_that_was_cut_here_is_pasted():
    session, _ = a_session()
    clipboard = Clipboard(PasteError("There is no image."))
    async with on_screen(session, pasting=clipboard) as desk:
        prompt = prompt_of(desk)
        prompt.replace_all("alpha beta")
        await desk.pilot.press("ctrl+v")
        await settled(desk)
        assert toasts(desk) == ["There is no image."]  # and nothing was cut yet
        await desk.pilot.press("f7", "ctrl+x", "ctrl+v")
        await settled(desk)
        await desk.pilot.press("ctrl+v")
        await settled(desk)
        assert prompt.text == "alpha betaalpha beta"
        assert toasts(desk) == ["There is no image."]
        await desk.pilot.press("f7", "ctrl+v")
        await settled(desk)
        assert prompt.text == "alpha beta"  # what is selected is replaced


async def test_text_that_was_cut_after_the_image_was_pasted_goes_first():
    session, _ = a_session()
    async with on_screen(session, pasting=Clipboard(MENTION, MENTION, "@pasted-ffffffffffff.png")) as desk:
        prompt = prompt_of(desk)
        await desk.pilot.press("ctrl+v")
        await settled(desk)
        prompt.replace_all("words")
        await desk.pilot.press("f7", "ctrl+x", "ctrl+v")
        await settled(desk)
        assert prompt.text == "words"
        prompt.replace_all("")
        await desk.pilot.press("ctrl+v")  # a new image: it is newer than the text
        await settled(desk)
        assert prompt.text == "@pasted-ffffffffffff.png "


async def test_a_failure_is_said_and_keeps_the_words_unsent():
    session, _ = a_session()
    clipboard = Clipboard(PasteError("This session runs over SSH."), RuntimeError("odd"))
    clipboard.gate.clear()
    async with on_screen(session, pasting=clipboard) as desk:
        prompt = prompt_of(desk)
        prompt.replace_all("look at this")
        await desk.pilot.press("alt+i", "enter")
        await desk.when(lambda: clipboard.asked == 1)
        clipboard.gate.set()
        await settled(desk)
        assert prompt.text == "look at this"
        await desk.pilot.press("alt+i")
        await desk.when(lambda: clipboard.asked == 2)
        await settled(desk)
        assert toasts(desk) == ["This session runs over SSH.", "The clipboard was not read: RuntimeError: odd"]
        assert session.state.transcript == ()


async def test_what_the_model_cannot_see_is_said_at_once():
    session, _ = a_session()
    async with on_screen(session, pasting=Clipboard(MENTION, concern="m does not see images.")) as desk:
        await desk.pilot.press("alt+i")
        await settled(desk)
        assert toasts(desk) == ["From the clipboard: PNG image, 1 kB.\nm does not see images."]


class RealDesk:
    """A clipboard of a test's own behind the real reader, and the real store."""

    def __init__(self, tmp_path) -> None:
        self.programs = Programs(tmp_path / "bin")
        self.programs.gives("xclip", png=PNG)
        self.images = PastedImages(find_paths(os.environ).images)
        self.pasting = ClipboardPasting(self.images, self.programs.environ(DISPLAY=":7"), "linux")
        self.attaching = PersonAttaching(NoFiles(), lambda mention: find_pasted(self.images, mention))


class NoFiles:
    """A workspace without files."""

    def find(self, path):
        return None

    async def files(self):
        return []


async def test_the_image_goes_to_the_model_and_comes_back_with_a_prompt_that_waited(tmp_path):
    real = RealDesk(tmp_path)
    gate = asyncio.Event()

    async def slow(_request):
        await gate.wait()
        for event in answer(text("ok"), end()):
            yield event

    provider = ScriptedProvider("fake", [answer(text("ok"), end()), slow, answer(text("ok"), end())])
    session, _ = make_session(provider, select=replace(model(), vision=True))
    async with on_screen(session, pasting=real.pasting, attaching=real.attaching) as desk:
        prompt = prompt_of(desk)
        await desk.pilot.press("ctrl+v")
        await settled(desk)
        (name,) = real.images.names()
        assert prompt.text == f"@{name} "
        await desk.type("what is this?")
        await desk.idle()
        sent = provider.requests[0].messages[0]
        assert isinstance(sent, UserMessage)
        (image,) = [block for block in sent.blocks if isinstance(block, ImageBlock)]
        assert base64.b64decode(image.data_base64) == PNG
        assert f"+ {name}  PNG image, 1 kB" in desk.text("chat")

        await desk.type("think")
        await desk.when(lambda: len(provider.requests) == 2)
        await desk.type(f"and @{name} again")
        await desk.when(lambda: len(session.state.queued) == 1)
        assert [each.kind for each in session.state.queued[0].attachments] == [AttachmentKind.IMAGE]
        (real.images.folder / name).unlink()  # somebody tidied up
        await desk.pilot.press("alt+u")
        await desk.when(lambda: real.images.names() == [name])
        assert prompt.text == f"and @{name} again"
        gate.set()
        await desk.idle()


async def test_a_mention_of_an_image_that_is_gone_is_said():
    images = PastedImages(find_paths(os.environ).images)
    attaching = PersonAttaching(NoFiles(), lambda mention: find_pasted(images, mention))
    gathered = await attaching.gather(f"{MENTION}, {MENTION}", None)
    assert gathered.attachments == ()
    assert gathered.remarks[0] == "pasted-0123456789ab.png is no longer kept: paste the image again."


async def test_a_prompt_that_is_rewound_to_brings_its_image_along():
    session, _ = a_session()
    clipboard = Clipboard(MENTION)
    image = Attachment(kind=AttachmentKind.IMAGE, source=MENTION[1:], media_type="image/png", data_base64="iVBO")
    async with on_screen(session, pasting=clipboard) as desk:
        session.submit(f"what is {MENTION}?", (image,))
        await desk.idle()
        prompt = next(entry for entry in session.state.transcript if isinstance(entry, PromptEntry))
        choice = RewindChoice(prompt_id=prompt.prompt_id, text=prompt.text, files=False, conversation=True)
        desk.screen._go_back(choice)
        await desk.when(lambda: clipboard.kept == [image])
        await desk.when(lambda: prompt_of(desk).text == f"what is {MENTION}?")
