"""What the window is said to be filled with is what the next request holds."""

import base64
from dataclasses import replace

import pytest

from patchbay.app.engine.context_report import Part, context_report
from patchbay.app.engine.events import Attachment, AttachmentKind
from patchbay.app.engine.token_estimate import IMAGE_WEIGHT
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.sessions import make_session, model

IMAGE = Attachment(
    kind=AttachmentKind.IMAGE,
    source="pic.png",
    media_type="image/png",
    data_base64=base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
)


@pytest.mark.parametrize("vision", [True, False])
async def test_an_image_costs_only_where_it_goes_along(vision: bool) -> None:
    session, _ = make_session(
        ScriptedProvider("fake", [answer(text("seen"), end())]), select=replace(model(), vision=vision)
    )
    session.submit("look", (IMAGE,))
    await session.wait_idle()
    report = context_report(session.state, session.next_request(), session.state.model)
    (item,) = report.items
    assert item.name == "pic.png" and item.tokens <= report.parts[Part.FILES] < report.tokens
    assert (item.tokens >= IMAGE_WEIGHT) is vision
