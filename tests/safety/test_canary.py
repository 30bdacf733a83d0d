"""A key is put where people put keys, every way of going wrong is taken, and nowhere may the key turn up."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.chat_server import calling, chat_server, failing, saying

KEY = "canary-7Qk2mVx9TzR4sLw8"
"""The key that must stay where it was put."""

GROUPINGS = ("model", "session", "tool", "turn")
Reply = tuple[int, str, str]

_ONE_BY_ONE = """
import json, sys
from patchbay.app.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["patchbay", *words]
    main()
"""


class Desk:
    """A person with a key, a project, and a settings file that names the key or holds it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.config = home / ".config/patchbay/config.toml"
        self.config.parent.mkdir(parents=True)
        self.folder = folder
        self.seen: list[str] = []
        folder.mkdir()

    def configure(self, base_url: str, *, literal: bool = False, more: str = "") -> None:
        key = f'api_key = "{KEY}"' if literal else 'api_key_env = "SHOP_KEY"'
        self.config.write_text(f'[providers.shop]\nbase_url = "{base_url}"\nmodel = "m"\n{key}\n{more}')
        self.config.chmod(0o600)

    def patchbay(self, *words: str, stdin: str = "", **environment: str) -> str:
        """Run the program; what it printed is looked at in the end, and returned."""
        return self._run(["-m", "patchbay", *words], stdin, environment)

    def all_of(self, *commands: tuple[str, ...]) -> str:
        """Run the program's commands one after the other in one process, which is quicker than a start for each."""
        return self._run(["-c", _ONE_BY_ONE, json.dumps(commands)], "", {})

    def _run(self, arguments: list[str], stdin: str, environment: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=self.folder,
            input=stdin,
            timeout=50,
            env={**os.environ, "SHOP_KEY": KEY, **environment},
        )
        self.seen.append(done.stdout + done.stderr)
        return self.seen[-1]

    def leaks(self) -> list[str]:
        """Where the key stands and should not: printed, or in a file other than the settings."""
        found = [f"printed: {text[max(0, text.find(KEY) - 80) :][:200]}" for text in self.seen if KEY in text]
        for top in (self.home, self.folder):
            for file in sorted(path for path in top.rglob("*") if path.is_file() and path != self.config):
                if KEY.encode() in file.read_bytes():
                    found.append(str(file.relative_to(top)))
        return found


@pytest.fixture
def desk(own_home: Path, tmp_path: Path) -> Desk:
    return Desk(own_home, tmp_path / "project")


def echoed(status: int) -> Reply:
    return failing(status, f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}")


REPLIES: dict[str, Reply] = {
    "a refused key that is repeated": echoed(401),
    "a forbidden one": echoed(403),
    "a bad request": echoed(400),
    "a missing model": echoed(404),
    "a page that is no JSON": (502, "text/html", f"<html>Bearer {KEY}</html>"),
    "an error inside a stream": (200, "text/event-stream", f'data: {{"error":{{"message":"key {KEY}"}}}}\n\n'),
    "a stream that breaks off": (200, "text/event-stream", f'data: {{"choices":[{{"delta":{{"content":"{KEY}'),
    "a model that says it": saying(f"Your key is {KEY}."),
    "a tool call with it": calling("read", {"path": KEY}),
    "a tool that does not exist": calling(KEY, {"x": KEY}),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("literal", [False, True], ids=["variable", "settings"])
def test_no_answer_of_a_server_gets_the_key_out(desk: Desk, reply: Reply, literal: bool) -> None:
    with chat_server(reply, saying("ok")) as server:
        desk.configure(server.base_url, literal=literal)
        words = ("run", "-p", "hi", "--record", str(desk.folder / "wire"), "--max-steps", "2", "--output")
        desk.all_of((*words, "text"), (*words, "jsonl"))
        assert server.headers[0].get("Authorization", server.headers[0].get("authorization")) == f"Bearer {KEY}"
    listed = json.loads(desk.patchbay("sessions", "list", "--json"))["sessions"]
    assert len(listed) == 2
    forms = ("jsonl", "markdown", "html")
    said = desk.all_of(*(("sessions", "export", each["id"], "--format", form) for each in listed for form in forms))
    assert said.lower().count("<!doctype html>") == len(listed) and said.count("# hi") == len(listed)
    assert desk.leaks() == []


TROUBLES: dict[str, Callable[[Desk], str]] = {
    "nobody listens": lambda desk: desk.patchbay("run", "-p", "hi", "--max-steps", "1"),
    "doctor": lambda desk: desk.patchbay("doctor", "--json"),
    "models": lambda desk: desk.patchbay("models"),
    "policy": lambda desk: desk.patchbay("policy", "show"),
    "a bad value beside it": lambda desk: _spoilt(desk, '[pricing."m"]\ninput_per_mtok = "dear"\n'),
    "broken settings": lambda desk: _spoilt(desk, "this is no TOML"),
    "an unknown key": lambda desk: _spoilt(desk, "api_kez = 1\n"),
    "a prompt that holds it": lambda desk: desk.patchbay("run", "-p", f"is {KEY} right?"),
    "a proxy with a password": lambda desk: desk.patchbay(
        "run", "-p", "hi", HTTP_PROXY=f"http://me:{KEY}@127.0.0.1:1", HTTPS_PROXY=f"http://me:{KEY}@127.0.0.1:1"
    ),
}


def _spoilt(desk: Desk, more: str) -> str:
    desk.config.write_text(desk.config.read_text() + more)
    return desk.patchbay("run", "-p", "hi") + desk.patchbay("doctor")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_no_trouble_of_our_own_gets_the_key_out(desk: Desk, trouble: Callable[[Desk], str]) -> None:
    desk.configure("http://127.0.0.1:9/v1", literal=True)
    assert trouble(desk)
    assert desk.leaks() == []


def test_commands_of_a_model_do_not_get_the_key(desk: Desk) -> None:
    desk.configure("http://127.0.0.1:9/v1")
    arguments = '{"command": "env; cat /proc/$PPID/environ /proc/self/environ | tr \\"\\\\0\\" \\"\\\\n\\""}'
    said = desk.patchbay("tools", "call", "bash", "--allow", "bash:**", "--json", arguments, stdin="y\n")
    assert "PATH=" in said
    assert desk.leaks() == []


def test_no_report_of_money_gets_the_key_out(desk: Desk) -> None:
    with chat_server(calling(KEY, {"x": KEY}), saying(f"It is {KEY}."), saying("ok")) as server:
        desk.configure(server.base_url)
        desk.patchbay("run", "-p", f"is {KEY} right?", "--max-steps", "3")
    kinds = [("--by", by, "--format", form) for by in GROUPINGS for form in ("table", "csv", "json")]
    said = desk.all_of(*(("cost", *kind) for kind in kinds), ("stats", "--json"), ("stats",))
    assert said.count("total") >= len(kinds)
    assert '"tools": [{' in said and "Sessions  1" in said
    assert desk.leaks() == []
