"""Local models are tried within a time, cloud models never, and what is known is told."""

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbay.app.cli import doctor
from patchbay.app.cli.arguments import ExitCode, parse
from patchbay.app.cli.doctor import Diagnosis, diagnosis_row, diagnosis_text
from patchbay.app.cli.local_models import (
    Examination,
    LocalModel,
    chosen_models,
    local_model_lines,
    local_model_row,
    may_be_tried,
)
from patchbay.app.cli.local_speed import Speeds
from patchbay.app.paths import Paths
from patchbay.app.settings import load_settings
from patchbay.providers.base import (
    FREE,
    ModelInfo,
    ModelRef,
    Online,
    Origin,
    Price,
    Provider,
    ProviderConfigError,
    ProviderStatus,
)
from patchbay.providers.capability import ToolCalling
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.directory import ProviderDirectory
from patchbay.providers.events import ErrorKind, ResponseEvent, StopReason
from patchbay.providers.exchanges import ExchangeLog
from patchbay.providers.messages import ChatRequest
from patchbay.providers.probed import Probed, ProbedModel
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.scripted import ScriptedProvider, Step, answer, end, fail, start, text, tool_call, usage
from patchbay.providers.text_tools import TextTools
from support.wire import sse

MODEL = ModelInfo(ref=ModelRef(provider="here", model="m"), context_window=32_768, price=FREE)
HERE = ProviderStatus(
    name="here",
    dialect="openai_chat",
    origin=Origin.DISCOVERED,
    local=True,
    online=Online.ONLINE,
    models=(MODEL,),
    server="llama.cpp",
)
PRICED = Price(input_per_mtok=Decimal(3), output_per_mtok=Decimal(15))
CLOUD = replace(HERE, name="cloud", local=False, models=(replace(MODEL, price=PRICED),), server="openai")
DEMO = replace(HERE, name="demo", origin=Origin.DEMO)

YES = answer(text("Yes"), usage(output_tokens=1), end(StopReason.MAX_TOKENS))
COUNTED = answer(text("1, 2, 3"), usage(output_tokens=41), end())
CALLED = answer(tool_call("c", "add", {"a": 17, "b": 25}), end(StopReason.TOOL_CALLS))
WRITTEN = answer(text('```json\n{"tool": "add", "args": {"a": 17, "b": 25}}\n```'), end())
TALK = answer(text("It is 42."), end())
READ = answer(text("Yes"), usage(input_tokens=500, output_tokens=1), end(StopReason.MAX_TOKENS))
BROKEN = fail(ErrorKind.SERVER_ERROR, "here: out of memory \x1b[2J", status=500)


async def stalls(request: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
    """A server that takes the request, begins, and says no more."""
    for event in start():
        yield event
    await asyncio.Event().wait()


class Streamed(httpx.AsyncByteStream):
    """A reply as it comes from a server: in pieces, which the log gets to see."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), 40):
            yield self._body[at : at + 40]


class Here:
    """A directory with one local server that plays steps."""

    def __init__(self, *steps: Step) -> None:
        self.inner = ScriptedProvider("here", steps, dialect="openai_chat")
        self._tools = TextTools(self.inner, lambda model: MODEL)

    def provider(self, ref: ModelRef) -> Provider:
        return self._tools

    async def probe(self, ref: ModelRef, *, max_tokens: int) -> ToolCalling:
        return await self._tools.probe(ref.model, max_tokens=max_tokens)


def ticking() -> Any:
    seconds = count()
    return lambda: float(next(seconds))


async def tried(*steps: Step, timeout_s: float = 30.0) -> LocalModel:
    (found,) = await Examination(Here(*steps), lambda line: None, timeout_s=timeout_s, clock=ticking()).all_of(
        [(HERE, MODEL)]
    )
    return found


@pytest.mark.parametrize(
    ("steps", "tools", "word"),
    [
        ((CALLED,), ToolCalling.NATIVE, "native"),
        ((TALK, WRITTEN), ToolCalling.TEXT, "text"),
        ((TALK, TALK), ToolCalling.NONE, "none"),
        ((answer(text("Let me"), end(StopReason.MAX_TOKENS)),) * 2, ToolCalling.UNCLEAR, "unknown"),
    ],
)
async def test_what_a_model_does_when_told_to_call_a_tool(
    steps: tuple[Step, ...], tools: ToolCalling, word: str
) -> None:
    found = await tried(YES, COUNTED, *steps, READ)
    assert (found.tools, found.problem) == (tools, "")
    assert (local_model_row(found)["tools"], bool(found.fix)) == (word, tools is not ToolCalling.NATIVE)


async def test_speed_is_the_servers_count_over_the_time_after_the_first_token() -> None:
    found = await tried(YES, COUNTED, CALLED, READ)  # the clock ticks at the request, the first token and the end
    assert (found.speeds.first_token_s, found.speeds.tokens_per_s) == (1.0, 40.0)
    assert found.speeds.prompt_tokens_per_s == 500.0


async def test_over_http_the_servers_own_figures_count_and_the_finding_is_kept() -> None:
    """Through directory, dialect and log, as the doctor does it."""
    timings = {"prompt_n": 400, "prompt_ms": 100, "predicted_n": 30, "predicted_ms": 100}
    said = sse(
        {"choices": [{"delta": {"content": "Once"}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 30}, "timings": timings},
        done=True,
    )
    called = {"index": 0, "id": "c", "function": {"name": "add", "arguments": '{"a": 17, "b": 25}'}}
    calls = sse({"choices": [{"delta": {"tool_calls": [called]}, "finish_reason": "tool_calls"}]}, done=True)

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Streamed(calls if "tools" in json.loads(request.content) else said))

    kept: list[ProbedModel] = []
    log = ExchangeLog()
    directory = ProviderDirectory(
        [ProviderConfig(name="here", preset="custom", base_url="http://127.0.0.1:9/v1")],
        {},
        Catalogue({}),
        transport=httpx.MockTransport(reply),
        log=log,
        probed=Probed(keep=kept.append),
    )
    examination = Examination(directory, lambda line: None, last_reply=lambda: doctor.last_reply(log))
    (found,) = await examination.all_of([(HERE, MODEL)])
    assert (found.tools, found.problem) == (ToolCalling.NATIVE, "")
    assert (found.speeds.tokens_per_s, found.speeds.prompt_tokens_per_s) == (300.0, 4000.0)
    assert [(each.model, each.tools) for each in kept] == [("m", ToolCalling.NATIVE)]
    await directory.aclose()


async def test_without_usage_or_with_a_few_tokens_no_speed_is_told() -> None:
    for said in (answer(text("1, 2"), end()), answer(text("1"), usage(output_tokens=3), end())):
        found = await tried(YES, said, CALLED, YES)
        assert found.speeds == Speeds(first_token_s=1.0)


async def test_the_window_goes_along_so_that_the_model_is_not_loaded_anew() -> None:
    here = Here(YES, COUNTED, TALK, WRITTEN, READ)
    await Examination(here, lambda line: None).all_of([(HERE, MODEL)])
    assert [request.context_window for request in here.inner.requests] == [32_768] * 5


async def test_a_server_error_is_told_and_what_was_found_before_is_kept() -> None:
    found = await tried(YES, COUNTED, BROKEN, BROKEN, BROKEN)
    assert (found.tools, found.speeds.tokens_per_s) == (None, 40.0)
    assert found.fix[0].startswith("The server failed: here: out of memory")
    assert all("\x1b" not in line for line in local_model_lines(found))
    assert (await tried(BROKEN)).speeds == Speeds()


@pytest.mark.parametrize("before", [(), (YES, COUNTED)])
async def test_a_stall_is_bounded(before: tuple[Step, ...]) -> None:
    found = await asyncio.wait_for(tried(*before, stalls, timeout_s=0.2), 10)
    assert "within 0.2 s" in found.problem
    assert found.speeds.tokens_per_s == (40.0 if before else None)
    assert local_model_row(found)["tools"] == "unknown"


async def test_ctrl_c_ends_it_with_what_is_known() -> None:
    began = asyncio.Event()

    def tell(line: str) -> None:
        if "call a tool" in line:
            began.set()

    examination = Examination(Here(YES, COUNTED, stalls), tell, clock=ticking())
    task = asyncio.create_task(examination.all_of([(HERE, MODEL), (HERE, MODEL)]))
    await began.wait()
    task.cancel()
    (found,) = await task
    assert examination.interrupted
    assert (found.speeds.tokens_per_s, found.problem) == (40.0, "Interrupted before all was found out.")


async def test_it_tells_what_it_is_doing() -> None:
    told: list[str] = []
    odd = replace(MODEL, ref=ModelRef(provider="here", model="m\x1b[2J"))
    await Examination(Here(YES, COUNTED, CALLED, READ), told.append).all_of([(HERE, odd)])
    assert len(told) == 4 and all(line.startswith("here/m") and "\x1b" not in line for line in told)


# --- which are tried ----------------------------------------------------------------------------------------------


def test_one_of_each_local_server_and_never_one_that_costs_money() -> None:
    other = replace(MODEL, ref=ModelRef(provider="here", model="n"))
    passed_on = replace(MODEL, ref=ModelRef(provider="here", model="gpt-oss:120b-cloud"))
    two = replace(HERE, models=(passed_on, MODEL, other))
    offline = replace(HERE, online=Online.OFFLINE)
    proxy = replace(HERE, name="proxy", models=(replace(MODEL, price=None),))
    assert chosen_models((CLOUD, two, offline, proxy, DEMO)) == ((two, MODEL),)
    assert chosen_models((two,), other.ref) == ((two, other),)
    assert chosen_models((CLOUD, two, offline, proxy, DEMO), every=True) == ((two, MODEL), (two, other))


@pytest.mark.parametrize("name", ["glm-4.6:cloud", "gpt-oss:120b-cloud"])
def test_models_that_ollama_passes_on_are_not_local(name: str) -> None:
    assert not may_be_tried(replace(MODEL, ref=ModelRef(provider="ollama", model=name)))
    assert may_be_tried(MODEL)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (CLOUD, "is no local model"),
        (DEMO, "is no local model"),
        (replace(HERE, online=Online.OFFLINE, problem="start it"), "is offline. start it"),
        (replace(HERE, models=(replace(MODEL, price=PRICED),)), "only local models are tried"),
    ],
)
def test_a_model_that_may_not_be_tried_says_why(status: ProviderStatus, why: str) -> None:
    with pytest.raises(ProviderConfigError, match=why):
        chosen_models((status,), ModelRef(provider=status.name, model="m"))


# --- as told ------------------------------------------------------------------------------------------------------


FOUND = LocalModel(
    model=replace(MODEL, trained_window=131_072),
    server="llama.cpp",
    tools=ToolCalling.TEXT,
    speeds=Speeds(first_token_s=0.25, tokens_per_s=12.34567, prompt_tokens_per_s=250.5),
)


def test_as_text_and_as_json(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={"HOME": str(tmp_path)})
    paths = Paths(config_file=settings.config_file, state_folder=tmp_path)
    diagnosis = Diagnosis(settings=settings, paths=paths, statuses=(HERE,), local_models=(FOUND,))
    assert (
        "  here/m: window 32,768 tokens (made for 131,072), calls tools in its text only, writes 12.3 tokens/s,"
        " reads 250 tokens/s, first token after 0.25 s\n"
        "      fix: It calls tools only in its text" in diagnosis_text(diagnosis)
    )
    (row,) = json.loads(json.dumps(diagnosis_row(diagnosis)))["local_models"]
    assert row == {
        "provider": "here",
        "model": "m",
        "window": 32_768,
        "trained_window": 131_072,
        "tools": "text",
        "prompt_tokens_per_s": 250.5,
        "tokens_per_s": 12.346,
        "first_token_s": 0.25,
        "fix": list(FOUND.fix),
    }
    unknown = LocalModel(model=replace(MODEL, context_window=None), server="custom")
    assert local_model_lines(unknown)[0] == (
        "here/m: window unknown, tool calls unknown, speed unknown, first token unknown"
    )
    untried = diagnosis_row(replace(diagnosis, local_models=()))
    assert untried["local_models"] == []


def options(*words: str) -> argparse.Namespace:
    return parse(("doctor", *words)).options


def test_model_all_and_no_probe_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert options("--model", "a/b").model == "a/b" and options("--no-probe").no_probe and options("--all").all
    for both in (("--no-probe", "--model", "a/b"), ("--all", "--no-probe"), ("--all", "--model", "a/b")):
        with pytest.raises(SystemExit):
            options(*both)


@pytest.fixture
def nothing_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server on this machine is looked for."""

    async def nobody(directory: Any, *, reach: bool) -> tuple[ProviderStatus, ...]:
        return (HERE,)

    monkeypatch.setattr(doctor, "asked", nobody)


def test_a_model_that_does_not_exist_is_wrong_usage(
    nothing_found: None, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.doctor_command(options("--model", "nobody/m")) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == "" and "nobody" in said.err


def test_no_probe_asks_no_model(nothing_found: None, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.doctor_command(options("--no-probe", "--json")) == ExitCode.OK
    said = capsys.readouterr()
    assert (json.loads(said.out)["local_models"], said.err) == ([], "")
