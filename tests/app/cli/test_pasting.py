"""Pasted images and the sessions that name them: kept as long as one does, gone with the last."""

import base64
import os
import time
from dataclasses import replace

import pytest

from patchbay.app.cli.pasting import ClipboardPasting, keep_sent
from patchbay.app.cli.retention import DAY_S, Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine import archive
from patchbay.app.engine.archive_views import session_prompts
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect
from patchbay.app.engine.drafts import save_draft
from patchbay.app.engine.events import Attachment, AttachmentKind, PromptSubmitted, SessionStarted
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.pasted_images import FRESH_S, PastedImages
from patchbay.app.paths import find_paths
from patchbay.app.tui.pasting import PasteError
from support.clipboards import JPEG, PNG, Programs
from support.sessions import model

NOW = time.time() + 3 * FRESH_S


@pytest.fixture
def paths():
    return find_paths(os.environ)


@pytest.fixture
def images(paths):
    return PastedImages(paths.images)


def sent(paths, images, session_id, data):
    """A session with one prompt that has an image."""
    image = images.keep(data)
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=time.time)
    recorder = Recorder(paths.database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="/src/shop", version="test"))
    attachment = Attachment(
        kind=AttachmentKind.IMAGE,
        source=image.name,
        media_type=image.media_type,
        data_base64=base64.b64encode(data).decode(),
    )
    bus.publish(PromptSubmitted(prompt_id=session_id, text=f"what is @{image.name}?", attachments=(attachment,)))
    recorder.close()
    return image.name


@pytest.mark.parametrize(
    ("vision", "words"),
    [(True, ""), (False, "does not see images"), (None, "Nobody knows whether")],
)
async def test_what_was_pasted_is_named_and_what_the_model_makes_of_it_is_said(tmp_path, images, vision, words):
    programs = Programs(tmp_path / "bin")
    programs.gives("wl-paste", png=PNG)
    pasting = ClipboardPasting(images, programs.environ(WAYLAND_DISPLAY="w"), "linux")
    pasted = await pasting.paste(replace(model(), vision=vision))
    assert pasted.mention == f"@{images.names()[0]}"
    assert pasted.said == "From the clipboard: PNG image, 1 kB."
    assert pasted.concern.startswith(words) or words in pasted.concern
    assert bool(pasted.concern) is bool(words)


async def test_why_nothing_was_pasted_is_said(tmp_path, images, paths):
    programs = Programs(tmp_path / "bin")
    pasting = ClipboardPasting(images, programs.environ(), "linux")
    with pytest.raises(PasteError, match="neither WAYLAND_DISPLAY nor DISPLAY"):
        await pasting.paste(None)
    programs.gives("xclip", png=PNG)
    paths.state_folder.mkdir(parents=True)
    paths.images.write_text("in the way")
    with pytest.raises(PasteError, match=r"cannot be kept in .*images"):
        await ClipboardPasting(images, programs.environ(DISPLAY=":7"), "linux").paste(None)


def test_only_pasted_images_are_kept_again_from_a_journal(images):
    keep_sent(images, [("logo.png", base64.b64encode(PNG).decode()), ("pasted-000000000000.png", "%%%")])
    assert images.names() == []
    keep_sent(images, [("pasted-000000000000.png", base64.b64encode(PNG).decode())])
    assert images.names() == [images.keep(PNG).name]  # called after its content, whatever the journal says


def test_images_go_with_the_last_session_that_names_them(paths, images):
    one = sent(paths, images, "session-1", PNG)
    two = sent(paths, images, "session-2", PNG + b"2")
    shared = sent(paths, images, "session-3", JPEG)
    unsent, stray = images.keep(PNG + b"u").name, images.keep(PNG + b"s").name
    connection = connect(paths.database)
    save_draft(connection, "session-1", f"@{shared}", at=1.0)
    save_draft(connection, "session-2", f"@{unsent} and @{shared}", at=1.0)
    retention = Retention(keep_removed_days=1)
    assert retention.purge(connection, paths, at=time.time()) == []
    assert len(images.names()) == 5
    archive.remove(connection, "session-1", at=time.time() - 2 * DAY_S)
    assert retention.purge(connection, paths, at=time.time()) == ["session-1"]
    assert one not in images.names()
    assert shared in images.names()
    retention.purge(connection, paths, at=NOW)
    assert images.names() == sorted([two, shared, unsent])
    assert stray not in images.names()  # a day old, and nothing names it
    for session in ("session-2", "session-3"):
        archive.remove(connection, session, at=time.time() - 2 * DAY_S)
    retention.purge(connection, paths, at=time.time())
    assert images.names() == []


async def test_a_fork_at_a_prompt_has_its_image_also_when_only_the_journal_had_it(paths, images):
    name = sent(paths, images, "session-1", PNG)
    (images.folder / name).unlink()
    shelf = SessionShelf(paths, lambda: SessionState(session_id="session-1"), Retention())
    (prompt,) = session_prompts(connect(paths.database), "session-1")
    copy = await shelf.fork("session-1", prompt)
    shelf.close()
    opened = SessionShelf(paths, lambda: SessionState(session_id=copy), Retention())
    assert await opened.draft() == f"what is @{name}?"
    assert images.names() == [name]
    opened.close()
