"""What the doctor found of a model's tools is used where nobody else knows."""

import json
from typing import Any

import httpx
import pytest

from patchbay.providers.base import ModelRef
from patchbay.providers.capability import ToolCalling
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.directory import ProviderDirectory
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.messages import ChatRequest, TextBlock, ToolSpec, UserMessage
from patchbay.providers.probed import Probed, ProbedModel
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.text_tools import TextTools
from support.wire import collect, sse

HERE = Endpoint(name="mine", dialect="openai_chat", base_url="http://127.0.0.1:9/v1", api_key=lambda: None)
REF = ModelRef(provider="mine", model="m")
SAID = sse({"choices": [{"delta": {"content": "It is 42."}, "finish_reason": "stop"}]}, done=True)


@pytest.mark.parametrize(
    ("found", "tools"),
    [
        (ToolCalling.NATIVE, True),
        (ToolCalling.TEXT, False),
        (ToolCalling.NONE, False),
        (ToolCalling.UNCLEAR, None),
    ],
)
def test_the_last_finding_counts_for_its_endpoint_and_model(found: ToolCalling, tools: bool | None) -> None:
    kept: list[ProbedModel] = []
    probed = Probed(keep=kept.append)
    probed.add(HERE, "m", found)
    assert (probed.tools(HERE, "m"), probed.tools(HERE, "n")) == (tools, None)
    assert Probed(kept).tools(HERE, "m") is tools
    probed.add(HERE, "m", ToolCalling.NATIVE)
    assert probed.tools(HERE, "m") is True
    assert Probed(kept).tools(HERE, "m") is True


def directory(bodies: list[Any], probed: Probed) -> ProviderDirectory:
    def reply(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, content=SAID)

    return ProviderDirectory(
        [ProviderConfig(name="mine", preset="custom", base_url="http://127.0.0.1:9/v1")],
        {},
        Catalogue({}),
        transport=httpx.MockTransport(reply),
        probed=probed,
    )


async def test_a_probe_is_kept_and_the_next_session_uses_it() -> None:
    kept: list[ProbedModel] = []
    first = directory([], Probed(keep=kept.append))
    assert first.info(REF).tools is None
    assert await first.probe(REF, max_tokens=64) is ToolCalling.NONE
    assert first.info(REF).tools is False
    assert kept == [
        ProbedModel(base_url="http://127.0.0.1:9/v1", dialect="openai_chat", model="m", tools=ToolCalling.NONE)
    ]

    bodies: list[Any] = []
    later = directory(bodies, Probed(kept))
    tool = ToolSpec(name="read", description="Reads.", parameters={"type": "object", "properties": {}})
    asked = ChatRequest(model="m", messages=(UserMessage(blocks=(TextBlock(text="Look."),)),), tools=(tool,))
    provider = later.provider(REF)
    assert isinstance(provider, TextTools)
    await collect(provider, asked)
    assert [("tools" in body, "read" in json.dumps(body)) for body in bodies] == [(False, True)], (
        "told in words, at once"
    )
