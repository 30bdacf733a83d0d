"""``patchbay run`` as a script sees it: the whole program in a process of its own, against a server on loopback."""

import base64
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from patchbay.app.engine.codec import decode_stamped
from patchbay.app.engine.events import PromptSubmitted, ProvidersListed, TurnEnded
from patchbay.app.pasted_images import PastedImages
from patchbay.app.paths import find_paths
from support.chat_server import calling, chat_server, failing, saying
from support.clipboards import PNG


class Desk:
    """A person with a project folder and a settings file."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.config = home / ".config/patchbay/config.toml"
        self.config.parent.mkdir(parents=True)
        self.folder = folder
        folder.mkdir()

    def configure(self, base_url: str, more: str = "") -> None:
        self.config.write_text(f'[providers.mock]\nbase_url = "{base_url}"\nmodel = "m"\n{more}')

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "patchbay", "run", *words],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            input=stdin,
            timeout=50,
        )


@pytest.fixture
def desk(own_home: Path, tmp_path: Path) -> Desk:
    return Desk(own_home, tmp_path / "project")


def test_text_answer_on_stdout_and_everything_else_on_stderr(desk: Desk) -> None:
    with chat_server(saying("Hello, **you**.")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "hi")
    assert (done.returncode, done.stdout) == (0, "Hello, **you**.\n")
    assert "mock/m" in done.stderr
    assert "10 tokens in, 5 out" in done.stderr
    assert server.requests[0]["messages"][-1] == {"role": "user", "content": "hi"}


def test_json_is_one_object_with_exact_sums(desk: Desk) -> None:
    with chat_server(calling("list", {"path": "."}), saying("Empty.", 30, 7)) as server:
        desk.configure(server.base_url, '[pricing."m"]\ninput_per_mtok = 0.14\noutput_per_mtok = 0.28\n')
        done = desk.run("-p", "what is here?", "--output", "json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row.pop("session_id")
    assert row == {
        "text": "Empty.",
        "stop_reason": "end_turn",
        "turns": 1,
        "requests": 2,
        "tool_calls": [{"name": "list", "ok": True}],
        "usage": {
            "input_tokens": 40,
            "cache_read_tokens": None,
            "cache_write_tokens": None,
            "output_tokens": 12,
            "thinking_tokens": None,
        },
        "cost": {"amount": "0.00000896", "currency": "USD", "source": "computed"},
        "error": None,
    }


def test_jsonl_is_the_journal_of_the_run(desk: Desk) -> None:
    with chat_server(saying("Hello.")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "hi", "--output", "jsonl")
    events = [decode_stamped(json.loads(line)) for line in done.stdout.splitlines()]
    kinds = [type(each.event) for each in events]
    assert PromptSubmitted in kinds
    assert kinds[-1] is TurnEnded
    assert ProvidersListed not in kinds
    assert [each.seq for each in events] == sorted({each.seq for each in events})


def test_prompt_from_standard_input(desk: Desk) -> None:
    with chat_server(saying("ok")) as server:
        desk.configure(server.base_url)
        assert desk.run("-p", "-", stdin="from a pipe\n").returncode == 0
    assert "from a pipe" in json.dumps(server.requests[0]["messages"][-1])


def test_tool_nobody_can_approve_is_denied_and_the_model_is_told(desk: Desk) -> None:
    with chat_server(calling("bash", {"command": "touch made"}), saying("I could not.")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "make it", "--output", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["tool_calls"] == [{"name": "bash", "ok": False}]
    assert not (desk.folder / "made").exists()
    assert "no person to ask" in json.dumps(server.requests[1]["messages"])
    assert "--allow" in done.stderr


def test_tool_that_a_rule_allows_runs(desk: Desk) -> None:
    with chat_server(calling("bash", {"command": "touch made"}), saying("Made.")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "make it", "--allow", "bash:touch made")
    assert (done.returncode, done.stdout) == (0, "Made.\n"), done.stderr
    assert (desk.folder / "made").exists()


def test_the_first_run_knows_the_window_that_the_server_tells(desk: Desk) -> None:
    (desk.folder / "long.txt").write_text("a line of words\n" * 2000)
    with chat_server(saying("Read.")) as server:
        server.facts["max_model_len"] = 6000
        desk.configure(server.base_url)
        done = desk.run("-p", "look at @long.txt")
    assert done.returncode == 0, done.stderr
    (request,) = server.requests
    assert request["max_tokens"] <= 6000 // 4 and len(json.dumps(request)) < 6000 * 3
    assert "long.txt: cut after line" in done.stderr and "its window has 6,000 tokens" in done.stderr


def test_continue_sends_what_was_said_before(desk: Desk) -> None:
    with chat_server(saying("First answer.")) as server:
        desk.configure(server.base_url)
        desk.run("-p", "first prompt")
        again = desk.run("-p", "second prompt", "--continue", "--output", "json")
    said = json.dumps(server.requests[-1]["messages"])
    assert said.index("first prompt") < said.index("First answer.") < said.index("second prompt")
    assert json.loads(again.stdout)["usage"]["input_tokens"] == 10, "usage is that of this run alone"


def test_refused_key_names_cause_and_variable(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_API_KEY", "sk-wrong-0123456789abcdef")
    with chat_server(failing(401, "Incorrect API key provided")) as server:
        desk.configure(server.base_url, 'api_key_env = "MOCK_API_KEY"\n')
        done = desk.run("-p", "hi", "--output", "json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["kind"], error["status"]) == (1, "authentication", 401)
    assert "Incorrect API key" in error["message"]
    assert "MOCK_API_KEY" in error["message"]
    assert "sk-wrong" not in done.stdout + done.stderr
    assert server.headers[0]["authorization"] == "Bearer sk-wrong-0123456789abcdef"


def test_no_key_means_no_authorization(desk: Desk) -> None:
    with chat_server(saying("ok")) as server:
        desk.configure(server.base_url)
        desk.run("-p", "hi")
    assert "authorization" not in server.headers[0]


def test_server_that_is_down_fails_the_run(desk: Desk) -> None:
    with chat_server(saying("never")) as server:
        desk.configure(server.base_url)
    done = desk.run("-p", "hi", "--output", "json", "--model", "mock/m")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "network"
    assert server.base_url.removeprefix("http://").removesuffix("/v1") in error["message"]


def test_reply_that_is_no_json_is_a_protocol_error(desk: Desk) -> None:
    with chat_server((200, "text/html", "<html>Sign in to the Wi-Fi</html>")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "hi", "--output", "json")
    assert (done.returncode, json.loads(done.stdout)["error"]["kind"]) == (1, "protocol")


def test_step_limit_fails_the_run(desk: Desk) -> None:
    with chat_server(calling("list", {"path": "."})) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", "hi", "--output", "json", "--max-steps", "2")
    assert (done.returncode, len(server.requests)) == (5, 2)
    assert json.loads(done.stdout)["error"]["kind"] == "step_limit"


@pytest.mark.parametrize("output", ["text", "json"])
def test_unknown_provider_is_a_mistake_in_the_command(desk: Desk, output: str) -> None:
    desk.configure("http://127.0.0.1:9/v1")
    done = desk.run("-p", "hi", "--model", "moke/m", "--output", output)
    assert done.returncode == 2
    assert "mock" in done.stderr, "the names that exist are listed"
    assert output == "text" or json.loads(done.stdout)["error"]["kind"] == "configuration"


def test_unset_key_variable_is_named_with_table_and_file(desk: Desk) -> None:
    desk.configure("http://127.0.0.1:9/v1", 'api_key = "${NOPE}"\n')
    done = desk.run("-p", "hi", "--model", "mock/m", "--output", "json")
    message = json.loads(done.stdout)["error"]["message"]
    assert done.returncode == 2
    for part in ("NOPE", "[providers.mock]", str(desk.config)):
        assert part in message


PRICED = '[pricing."m"]\ninput_per_mtok = 30\noutput_per_mtok = 150\n'


def test_max_cost_ends_the_run_before_the_request_that_would_pass_it(desk: Desk) -> None:
    with chat_server(calling("list", {"path": "."}, 2000, 100)) as server:
        desk.configure(server.base_url, PRICED)
        done = desk.run("-p", "hi", "--output", "json", "--max-cost", "0.30")
    assert done.returncode == 4, done.stderr
    row = json.loads(done.stdout)
    assert row["error"]["kind"] == "budget"
    assert "would pass the budget. Raise --max-cost" in row["error"]["message"]
    assert len(server.requests) == row["requests"] == 3
    assert Decimal(row["cost"]["amount"]) <= Decimal("0.30")
    assert "patchbay: Stopped: " in done.stderr


def test_a_budget_too_small_for_any_request_sends_nothing(desk: Desk) -> None:
    with chat_server(saying("Hello.")) as server:
        desk.configure(server.base_url, PRICED + "[budget]\nday = 0.0001\n")
        done = desk.run("-p", "hi")
    assert (done.returncode, done.stdout, server.requests) == (4, "", [])
    assert "of $0.0001 for today is spent" in done.stderr


def test_what_other_runs_spent_today_counts(desk: Desk) -> None:
    with chat_server(saying("Hello.", 10_000, 100)) as server:
        desk.configure(server.base_url, PRICED + "[budget]\nday = 0.5\n")
        codes = [desk.run("-p", "hi").returncode for _ in range(2)]
    assert (codes, len(server.requests)) == ([0, 4], 1)


def test_a_request_that_should_be_asked_for_ends_a_run_without_a_person(desk: Desk) -> None:
    with chat_server(saying("Hello.")) as server:
        desk.configure(server.base_url, PRICED + "[budget]\nask_above = 0.001\n")
        done = desk.run("-p", "hi")
    assert (done.returncode, server.requests) == (4, [])
    assert "The next request may cost about" in done.stderr


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "much"])
def test_a_cap_that_is_no_amount_is_wrong_usage(desk: Desk, amount: str) -> None:
    done = desk.run("-p", "hi", f"--max-cost={amount}")
    assert done.returncode == 2
    assert "must be an amount in USD above zero" in done.stderr


def test_what_a_sub_folder_says_goes_with_the_result_in_a_trusted_folder_alone(desk: Desk) -> None:
    for name, content in (("AGENTS.md", "Be brief."), ("sub/AGENTS.md", "Use tabs in sub."), ("sub/a.py", "x = 1\n")):
        (desk.folder / name).parent.mkdir(exist_ok=True)
        (desk.folder / name).write_text(content)
    for trusting in (["--trust"], []):
        reading = calling("read", {"path": "sub/a.py"})
        with chat_server(reading, reading, saying("Done.")) as server:
            desk.configure(server.base_url)
            done = desk.run(*trusting, "-p", "look")
        assert done.returncode == 0, done.stderr
        first, second, third = server.requests
        system = json.dumps(first["messages"][0])
        assert "Use tabs in sub." not in system
        assert ("Be brief." in system) is bool(trusting)
        results = [message["content"] for message in third["messages"] if message["role"] == "tool"]
        assert ["Use tabs in sub." in result for result in results] == [bool(trusting), False]
        assert third["messages"][: len(second["messages"])] == second["messages"]  # nothing earlier changed
        if not trusting:
            assert "sub/AGENTS.md: this folder is not trusted" in done.stderr


def test_an_image_that_was_pasted_is_found_by_its_name(desk: Desk, own_home: Path) -> None:
    image = PastedImages(find_paths(os.environ).images).keep(PNG)
    with chat_server(saying("A square.")) as server:
        desk.configure(server.base_url)
        done = desk.run("-p", f"what is @{image.name}?")
    assert done.returncode == 0, done.stderr
    (text, picture, words) = server.requests[0]["messages"][-1]["content"]
    assert text["text"] == f'<image path="{image.name}"/>'
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert words["text"] == f"what is @{image.name}?"
