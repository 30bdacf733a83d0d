import json
import os
from datetime import date
from pathlib import Path

import pytest

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.engine.state import NoticeEntry, estimate_tokens
from patchbay.app.engine.system_prompt import RULES, surroundings
from patchbay.app.settings import SettingsError, load_settings
from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.demo import DEMO_PROMPT
from patchbay.providers.discovery import Discovered
from patchbay.tools.events import Decision
from patchbay.tools.registry import TOOLS
from patchbay.tools.schemas import schema_of
from support.sessions import until

LOCAL = Discovered(
    preset="llama.cpp",
    base_url="http://127.0.0.1:8080/v1",
    models=(ModelInfo(ref=ModelRef(provider="llama.cpp", model="tiny"), context_window=512, tools=False),),
)


def runtime_in(folder: Path, wish: Wish | None = None):
    runtime = open_runtime(load_settings(folder, environ=os.environ), wish or Wish(folder=folder))

    async def found():
        return (LOCAL,)

    runtime.directory._discover = found
    return runtime


def test_system_prompt_and_tools_stay_under_two_thousand_tokens():
    schemas = "".join(json.dumps([s.name, s.description, s.parameters]) for s in map(schema_of, TOOLS))
    prompt = RULES + surroundings(Path("/home/somebody/project"), date.today())
    assert estimate_tokens(len(schemas) + len(prompt)) < 2000


async def test_a_local_server_is_found_and_its_model_chosen_with_a_word_on_what_it_cannot(tmp_path):
    runtime = runtime_in(tmp_path)
    assert await runtime.start() == ""
    model = runtime.session.state.model
    assert str(model.ref) == "llama.cpp/tiny"
    assert model.price.free
    notices = [entry.message for entry in runtime.session.state.transcript if isinstance(entry, NoticeEntry)]
    assert any("tool" in notice for notice in notices)
    await runtime.aclose()


async def test_what_is_wrong_with_the_settings_is_said_once_in_a_conversation(own_home, tmp_path):
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('colour = "red"\n')
    for wish in (Wish(folder=tmp_path), Wish(folder=tmp_path, resume=True), Wish(folder=tmp_path)):
        runtime = runtime_in(tmp_path, wish)
        notices = [entry.message for entry in runtime.session.state.transcript if isinstance(entry, NoticeEntry)]
        assert sum("colour" in notice for notice in notices) == 1
        await runtime.aclose()


async def test_a_model_a_local_server_has_not_is_refused_before_any_request(tmp_path):
    runtime = runtime_in(tmp_path, Wish(folder=tmp_path, model="llama.cpp/huge"))
    assert await runtime.start() == "llama.cpp has no model 'huge'. It has tiny"
    assert runtime.session.state.model is None
    await runtime.aclose()


async def test_with_nothing_to_use_the_first_start_says_what_to_do(tmp_path):
    runtime = runtime_in(tmp_path)

    async def nothing():
        return ()

    runtime.directory._discover = nothing
    problem = await runtime.start()
    assert "No provider available. Configure one in" in problem
    assert "config.toml" in problem
    await runtime.aclose()


async def test_a_session_is_continued_in_its_own_folder_only(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = runtime_in(tmp_path / "one")
    await first.start()
    first.session.submit("remember me")
    first.session.cancel()
    await first.session.wait_idle()
    await first.aclose()
    again = runtime_in(tmp_path / "one", Wish(folder=tmp_path / "one", resume=True))
    assert again.session.state.session_id == first.session.state.session_id
    assert again.session.state.transcript[-len(first.session.state.transcript) :] == first.session.state.transcript
    assert await again.start() == ""
    other = runtime_in(tmp_path / "two", Wish(folder=tmp_path / "two", resume=True))
    assert other.session.state.session_id != first.session.state.session_id
    for runtime in (again, other):
        await runtime.aclose()


async def test_an_always_answer_holds_in_the_next_session_of_the_folder(tmp_path):
    async def play(decision: Decision) -> list[str]:
        wish = Wish(folder=tmp_path, demo=True, demo_tokens_per_second=0)
        runtime = open_runtime(load_settings(tmp_path, environ=os.environ), wish)
        await runtime.start()
        session, asked = runtime.session, []
        session.submit(DEMO_PROMPT)
        while session.busy:
            await until(lambda: bool(session.state.approvals) or not session.busy)
            if session.state.approvals:
                asked.append(session.state.approvals[0].title)
                session.resolve(session.state.approvals[0].approval_id, decision)
                await until(lambda: len(session.state.runs) >= len(asked) + 2 or not session.busy)
        await runtime.aclose()
        return asked

    assert len(await play(Decision.ALWAYS)) == 3
    rules = json.loads((tmp_path_state() / "always.json").read_text())
    assert sorted(rules[next(iter(rules))])[1:] == ["edit:lighthouse/**", "edit:tests/**"]


def tmp_path_state() -> Path:
    return Path(os.environ["XDG_STATE_HOME"]) / "patchbay"


def test_a_rule_that_cannot_be_read_names_where_it_stands(tmp_path):
    with pytest.raises(SettingsError, match=r"--allow.*is not a rule"):
        open_runtime(load_settings(tmp_path, environ=os.environ), Wish(folder=tmp_path, allow=("???",)))
