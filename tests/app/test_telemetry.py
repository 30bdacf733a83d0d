"""A session as a collector sees it: names of the conventions, one trace a turn, nothing unasked, nothing disturbed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from patchbay.app.cli.observing import Observing, collector_of
from patchbay.app.engine.events import CallPurpose
from patchbay.app.engine.side_call import side_call
from patchbay.app.paths import find_paths
from patchbay.app.settings import load_settings
from patchbay.providers.events import ErrorKind
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, start, text, tool_call, usage
from support.chat_server import calling, chat_server, saying
from support.collector import Collected, attributes, collector
from support.sessions import FakeToolbox, cost_of, make_session
from support.verifying import LINT, MEND_LINT, verify_session


async def listed(arguments, emit, approve) -> str:
    return "a.py"


def settings_of(home: Path, **telemetry):
    config = home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{name} = {json.dumps(value)}\n" for name, value in telemetry.items())
    config.write_text(f"[telemetry]\n{rows}")
    return load_settings(home, environ={"HOME": str(home)})


async def run_turns(home: Path, session, *prompts: str, **telemetry) -> None:
    """Prompts under the eye of telemetry, from begin to end."""
    observing = Observing()
    environ = {"HOME": str(home)}
    observing.begin(settings_of(home, **telemetry), session.bus, find_paths(environ), environ)
    session.select_model(session.state.model, session.state.dialect)
    for prompt in prompts:
        session.submit(prompt)
        await session.wait_idle()
    await observing.aclose()


def one_turn():
    first = answer(start("resp-1", "demo-2026"), tool_call("call-9", "list", {"path": "."}), usage(100, 7), end())
    second = answer(text("There is a.py."), usage(130, 9, cache_read_tokens=50), end())
    return ScriptedProvider("fake", [first, second])


async def test_a_call_beside_the_conversation_exports_no_prompt(own_home: Path) -> None:
    session, _ = make_session(ScriptedProvider("fake", [answer(text("ok"), end())]))
    with collector() as seen:
        observing, environ = Observing(), {"HOME": str(own_home)}
        observing.begin(
            settings_of(own_home, otlp_endpoint=seen.url, content=True), session.bus, find_paths(environ), environ
        )
        session.submit("my own words")
        await session.wait_idle()
        known = session.state.model
        await side_call(
            session.bus,
            ScriptedProvider("fake", [answer(text("a title"), end())]),
            ChatRequest(model="demo", messages=(UserMessage(blocks=(TextBlock(text="a title, please"),)),)),
            model=known,
            cost_of=cost_of,
            purpose=CallPurpose.TITLE,
        )
        await observing.aclose()
    chats = [span["attributes"] for span in seen.spans if span["name"].startswith("chat")]
    calls = {attributes["patchbay.call.purpose"]: attributes for attributes in chats}
    assert "my own words" in calls["answer"]["gen_ai.input.messages"]
    assert "gen_ai.input.messages" not in calls["title"]


async def test_a_turn_with_the_names_of_the_conventions(own_home: Path) -> None:
    session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
    with collector() as seen:
        await run_turns(own_home, session, "what is here?", otlp_endpoint=seen.url)
    spans = {span["name"]: span for span in seen.spans}
    assert sorted(span["name"] for span in seen.spans) == [
        "chat demo",
        "chat demo",
        "execute_tool list",
        "invoke_agent patchbay",
    ]
    turn, tool = spans["invoke_agent patchbay"], spans["execute_tool list"]
    first, second = [span for span in seen.spans if span["name"] == "chat demo"]
    assert {span["traceId"] for span in seen.spans} == {turn["traceId"]} and len(turn["traceId"]) == 32
    assert {span["parentSpanId"] for span in (first, second, tool)} == {turn["spanId"]} and len(turn["spanId"]) == 16
    assert "parentSpanId" not in turn
    assert (turn["kind"], first["kind"], tool["kind"]) == (1, 3, 1)
    assert (
        first["attributes"]
        | {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "fake",
            "gen_ai.request.model": "demo",
            "gen_ai.response.model": "demo-2026",
            "gen_ai.response.id": "resp-1",
            "gen_ai.conversation.id": "s1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 7,
        }
        == first["attributes"]
    )
    assert second["attributes"]["gen_ai.response.finish_reasons"] == ["stop"]
    # Input includes what came from a cache.
    assert second["attributes"]["gen_ai.usage.input_tokens"] == 180
    assert second["attributes"]["gen_ai.usage.cache_read.input_tokens"] == 50
    assert (
        tool["attributes"]
        | {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "list",
            "gen_ai.tool.call.id": "call-9",
            "gen_ai.tool.type": "function",
        }
        == tool["attributes"]
    )
    assert turn["attributes"]["gen_ai.agent.name"] == "patchbay"
    assert turn["attributes"]["gen_ai.usage.output_tokens"] == 16
    assert int(first["endTimeUnixNano"]) >= int(first["startTimeUnixNano"]) >= int(turn["startTimeUnixNano"])
    assert seen.resource["service.name"] == "patchbay"


async def test_metrics_of_a_turn(own_home: Path) -> None:
    session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
    with collector() as seen:
        await run_turns(own_home, session, "what is here?", otlp_endpoint=seen.url)
    tokens = seen.metrics["gen_ai.client.token.usage"]
    assert tokens["unit"] == "{token}"
    points = {
        attributes(point["attributes"])["gen_ai.token.type"]: point
        for point in tokens["histogram"]["dataPoints"]
        if "gen_ai.response.model" not in attributes(point["attributes"])
    }
    assert (points["input"]["sum"], points["output"]["sum"]) == (180, 9)
    point = points["input"]
    assert point["explicitBounds"][:3] == [1, 4, 16] and point["explicitBounds"][-1] == 67108864
    assert sum(map(int, point["bucketCounts"])) == int(point["count"]) == 1
    assert point["bucketCounts"][4] == "1"  # 64 < 180 <= 256
    duration = seen.metrics["gen_ai.client.operation.duration"]
    assert duration["unit"] == "s" and duration["histogram"]["aggregationTemporality"] == 2
    assert sum(int(each["count"]) for each in duration["histogram"]["dataPoints"]) == 2
    cost = seen.metrics["patchbay.cost"]
    total = sum(each["asDouble"] for each in cost["sum"]["dataPoints"])
    assert cost["unit"] == "USD" and cost["sum"]["isMonotonic"]
    assert total == pytest.approx(float(session.state.totals.cost))


async def test_nothing_that_was_said_goes_along_unless_asked_for(own_home: Path) -> None:
    for content in (False, True):
        session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
        with collector() as seen:
            await run_turns(own_home, session, "the harbour secret", otlp_endpoint=seen.url, content=content)
        sent = json.dumps(seen.bodies)
        for words in ("harbour secret", "There is a.py", '"path'):
            assert (words.replace('"', "") in sent.replace("\\", "")) is content


async def test_an_error_is_named(own_home: Path) -> None:
    provider = ScriptedProvider("mistral", [answer(fail(ErrorKind.AUTHENTICATION, "no such key", status=401))])
    session, _ = make_session(provider)
    with collector() as seen:
        await run_turns(own_home, session, "hi", otlp_endpoint=seen.url)
    chat, turn = seen.spans
    assert (chat["attributes"]["error.type"], chat["status"]["code"]) == ("authentication", 2)
    assert chat["attributes"]["http.response.status_code"] == 401
    assert chat["attributes"]["gen_ai.provider.name"] == "mistral_ai"
    assert turn["attributes"]["error.type"] == "failed"
    assert "no such key" not in json.dumps(seen.bodies)


async def test_a_verification_is_a_workflow_around_its_turns_and_checks(tmp_path: Path, own_home: Path) -> None:
    session, _, _ = verify_session(tmp_path, MEND_LINT, checks=(LINT,))
    observing, environ = Observing(), {"HOME": str(own_home)}
    with collector() as seen:
        settings = settings_of(own_home, otlp_endpoint=seen.url)
        observing.begin(settings, session.bus, find_paths(environ), environ)
        session.verify()
        await session.wait_idle()
        await observing.aclose()
    workflow = next(span for span in seen.spans if span["name"] == "invoke_workflow verify")
    inside = [span["name"] for span in seen.spans if span.get("parentSpanId") == workflow["spanId"]]
    assert sorted(inside) == ["execute_tool bash", "execute_tool bash", "invoke_agent patchbay"]
    assert workflow["attributes"]["patchbay.verify.outcome"] == "green"
    assert {span["traceId"] for span in seen.spans} == {workflow["traceId"]}


async def test_a_dead_or_angry_collector_disturbs_nobody(own_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # accepts and never answers
        session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
        await run_turns(own_home, session, "hi", otlp_endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert session.state.totals.calls == 2
    session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
    with collector() as seen:
        seen.status = 503
        await run_turns(own_home, session, "hi", otlp_endpoint=seen.url)
    assert session.state.totals.calls == 2 and len(seen.bodies) >= 1


def test_off_unless_the_persons_own_settings_say_so(own_home: Path) -> None:
    shell = {"HOME": str(own_home), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SERVICE_NAME": "mine"}
    off = settings_of(own_home)
    assert collector_of(off, shell) is None
    assert collector_of(settings_of(own_home, enabled=False, otlp_endpoint="http://127.0.0.1:1"), shell) is None
    on = collector_of(settings_of(own_home, enabled=True), shell)
    assert on.traces_url == "http://127.0.0.1:9/v1/traces" and on.resource["service.name"] == "mine"
    given = collector_of(settings_of(own_home, otlp_endpoint="http://127.0.0.1:1/x/"), shell)
    assert given.metrics_url == "http://127.0.0.1:1/x/v1/metrics"
    assert collector_of(settings_of(own_home, enabled=True), shell | {"OTEL_SDK_DISABLED": "true"}) is None
    default = collector_of(settings_of(own_home, enabled=True), {})
    assert default.traces_url == "http://127.0.0.1:4318/v1/traces"


def test_a_wrong_address_is_refused_in_words(own_home: Path) -> None:
    from patchbay.app.settings import SettingsError

    with pytest.raises(SettingsError, match=r"otlp_endpoint: .*it must be an address such as http://127.0.0.1:4318"):
        settings_of(own_home, otlp_endpoint="localhost")


async def test_headers_of_the_environment_open_it_and_are_never_written(own_home: Path) -> None:
    session, _ = make_session(one_turn(), toolbox=FakeToolbox(list=listed))
    observing = Observing()
    environ = {"HOME": str(own_home), "OTEL_EXPORTER_OTLP_HEADERS": "x-token=canary%2Dheader"}
    with collector() as seen:
        settings = settings_of(own_home, otlp_endpoint=seen.url)
        observing.begin(settings, session.bus, find_paths(environ), environ)
        session.submit("canary-header")
        await session.wait_idle()
        await observing.aclose()
    assert {headers["x-token"] for headers in seen.headers} == {"canary-header"}
    for file in own_home.rglob("*"):
        assert not file.is_file() or b"canary-header" not in file.read_bytes()


@pytest.mark.parametrize("exported", [False, True])
def test_a_whole_run(own_home: Path, tmp_path: Path, exported: bool) -> None:
    """The program itself against a server: spans arrive when asked for, and else nothing of it is even imported."""
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    code = (
        "import sys; from patchbay.app.cli import main; code = main(['run', '-p', 'hi'])\n"
        "print('LOADED', *[m for m in sys.modules if 'telemetry' in m or 'otlp' in m], file=sys.stderr); sys.exit(code)"
    )
    with collector() as seen, chat_server(calling("list", {"path": "."}), saying("Hello.")) as server:
        table = f'[telemetry]\notlp_endpoint = "{seen.url}"\n' if exported else ""
        config.write_text(f'[providers.mock]\nbase_url = "{server.base_url}"\nmodel = "m"\n{table}')
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url},
            timeout=50,
        )
    assert done.returncode == 0, done.stderr
    loaded = done.stderr[done.stderr.index("LOADED") :].split()[1:]
    assert loaded == (["patchbay.app.otlp", "patchbay.app.telemetry"] if exported else [])
    assert check_names(seen) == (["chat m", "chat m", "execute_tool list", "invoke_agent patchbay"] if exported else [])


def check_names(seen: Collected) -> list[str]:
    return sorted(span["name"] for span in seen.spans)
