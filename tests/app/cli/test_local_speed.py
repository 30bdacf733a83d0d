"""A server's own figures go before what passes here, and a prompt to read is one that no cache holds."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from patchbay.app.cli.local_speed import Speeds, Stopwatch, long_prompt
from patchbay.providers.base import FREE, ModelInfo, ModelRef, ProviderConfigError
from patchbay.providers.events import ErrorKind, StopReason
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider, Step, answer, end, fail, text, usage

MODEL = ModelInfo(ref=ModelRef(provider="here", model="m"), context_window=32_768, price=FREE)
STORY = answer(text("Once"), usage(input_tokens=20, output_tokens=41), end(StopReason.MAX_TOKENS))
YES = answer(text("Yes"), usage(input_tokens=500, output_tokens=1), end(StopReason.MAX_TOKENS))
TOLD = json.dumps({"timings": {"prompt_n": 400, "prompt_ms": 100, "predicted_n": 30, "predicted_ms": 100}})


def ticking() -> Callable[[], float]:
    """A second passes from look to look."""
    seconds = count()
    return lambda: float(next(seconds))


def watch(*steps: Step, reply: str = "", window: int | None = 32_768) -> tuple[Stopwatch, ScriptedProvider]:
    provider = ScriptedProvider("here", steps, dialect="openai_chat")
    model = ModelInfo(ref=MODEL.ref, context_window=window, price=FREE)
    fresh = map(str, count())
    watched = Stopwatch(
        provider, model, clock=ticking(), last_reply=lambda: reply, fresh=lambda: f"fresh-{next(fresh)}"
    )
    return watched, provider


def prompt(request: ChatRequest) -> str:
    (message,) = request.messages
    assert isinstance(message, UserMessage)
    (block,) = message.blocks
    assert isinstance(block, TextBlock)
    return block.text


@pytest.mark.parametrize(
    ("reply", "writes", "reads"), [("", 40.0, 500.0), ("no figures here", 40.0, 500.0), (TOLD, 300.0, 4000.0)]
)
async def test_own_time_unless_the_server_tells(reply: str, writes: float, reads: float) -> None:
    stopwatch, _ = watch(STORY, YES, reply=reply)
    speeds = Speeds()
    await stopwatch.write(speeds)
    await stopwatch.read(speeds)
    assert speeds == Speeds(first_token_s=1.0, tokens_per_s=writes, prompt_tokens_per_s=reads)


async def test_a_silent_answer_still_tells_how_fast_it_read() -> None:
    stopwatch, _ = watch(answer(usage(input_tokens=500, output_tokens=1), end()))
    speeds = Speeds()
    await stopwatch.read(speeds)
    assert speeds.prompt_tokens_per_s == 500.0


@pytest.mark.parametrize("counted", [usage(output_tokens=1), usage(input_tokens=3, cache_read_tokens=497)])
async def test_what_nobody_counted_or_a_cache_held_was_not_read(counted: Any) -> None:
    stopwatch, _ = watch(answer(text("Yes"), counted, end()))
    speeds = Speeds()
    await stopwatch.read(speeds)
    assert speeds.prompt_tokens_per_s is None


async def test_each_long_prompt_begins_like_no_other() -> None:
    stopwatch, provider = watch(YES, YES)
    await stopwatch.read(Speeds())
    await stopwatch.read(Speeds())
    first, second = map(prompt, provider.requests)
    assert first.splitlines()[0] != second.splitlines()[0]
    assert 1000 < len(long_prompt("")) < 2500, "a few hundred tokens, which fit into every window that is tried"


@pytest.mark.parametrize(("window", "asked"), [(512, 0), (1024, 1), (None, 1)])
async def test_a_tiny_window_gets_no_long_prompt(window: int | None, asked: int) -> None:
    stopwatch, provider = watch(YES, window=window)
    await stopwatch.read(Speeds())
    assert len(provider.requests) == asked


async def test_a_server_that_fails_in_the_middle_leaves_its_first_token() -> None:
    stopwatch, _ = watch(answer(text("Once"), fail(ErrorKind.SERVER_ERROR, "out of memory")))
    speeds = Speeds()
    with pytest.raises(ProviderConfigError, match="out of memory"):
        await stopwatch.write(speeds)
    assert speeds == Speeds(first_token_s=1.0)
