"""Keys that a person entered: where they are, who may read them, and what goes before them."""

import json
import sys
from types import SimpleNamespace

import pytest

from patchbay.app.kept_keys import KeptKeys, KeyPlace, WithKeptKeys
from patchbay.providers.redact import redact_registered
from patchbay.providers.registry import ProviderConfig, build, preset_configs

KEY = "sk-kept-0123456789abcdef"


class Keyring:
    """The part of a backend that is used; it can be locked."""

    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service, username):
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service, username):
        self._check()
        del self.kept[service, username]

    def _check(self):
        if self.locked:
            raise RuntimeError("locked")


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def keyring(monkeypatch):
    backend = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_keyring=lambda: backend))
    return backend


def test_without_a_keyring_a_file_holds_them_that_nobody_else_may_read(tmp_path):
    keys = KeptKeys(tmp_path / "state" / "credentials.json")
    assert keys.key("ANTHROPIC_API_KEY") is None and not keys.forget("ANTHROPIC_API_KEY")
    assert keys.keep("ANTHROPIC_API_KEY", KEY) is KeyPlace.FILE
    assert keys.key("ANTHROPIC_API_KEY") == KEY
    assert keys.places() == {"ANTHROPIC_API_KEY": KeyPlace.FILE}
    assert keys.file.stat().st_mode & 0o777 == 0o600
    assert keys.file.parent.stat().st_mode & 0o777 == 0o700
    assert KEY not in redact_registered(f"it says {KEY}")
    assert keys.forget("ANTHROPIC_API_KEY") and keys.key("ANTHROPIC_API_KEY") is None
    assert KEY not in keys.file.read_text()


def test_a_keyring_holds_them_when_there_is_one(tmp_path, keyring):
    keys = KeptKeys(tmp_path / "credentials.json")
    assert keys.keep("OPENAI_API_KEY", KEY) is KeyPlace.KEYRING
    assert keyring.kept == {("patchbay", "OPENAI_API_KEY"): KEY}
    assert json.loads(keys.file.read_text()) == {"OPENAI_API_KEY": None}
    assert keys.key("OPENAI_API_KEY") == KEY and keys.places() == {"OPENAI_API_KEY": KeyPlace.KEYRING}
    assert keys.forget("OPENAI_API_KEY") and keyring.kept == {}


def test_a_locked_keyring_is_no_keyring(tmp_path, keyring):
    keys = KeptKeys(tmp_path / "credentials.json")
    keys.keep("OPENAI_API_KEY", KEY)
    keyring.locked = True
    assert KeptKeys(keys.file).key("OPENAI_API_KEY") is None  # the provider says that its key is missing
    assert keys.keep("GROQ_API_KEY", KEY) is KeyPlace.FILE
    assert keys.forget("OPENAI_API_KEY")
    keyring.priority = 0  # the backend that stands for none at all
    assert keys.keep("XAI_API_KEY", KEY) is KeyPlace.FILE


def test_what_another_process_changes_counts_at_the_next_call(tmp_path):
    here, there = (KeptKeys(tmp_path / "credentials.json") for _ in range(2))
    there.keep("OPENAI_API_KEY", KEY)
    assert here.key("OPENAI_API_KEY") == KEY
    there.keep("OPENAI_API_KEY", KEY + "2")
    assert here.key("OPENAI_API_KEY") == KEY + "2"
    there.forget("OPENAI_API_KEY")
    assert here.key("OPENAI_API_KEY") is None


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"OPENAI_API_KEY": 3}', '"x"'])
def test_a_file_that_is_not_ours_holds_none(tmp_path, content):
    file = tmp_path / "credentials.json"
    file.write_text(content)
    assert KeptKeys(file).key("OPENAI_API_KEY") is None and KeptKeys(file).places() == {}


def test_providers_get_them_unless_the_environment_says_otherwise(tmp_path):
    keys = KeptKeys(tmp_path / "credentials.json")
    keys.keep("OPENAI_API_KEY", KEY)
    environ = {"HOME": "/home/me", "OPENAI_API_KEY": " "}
    known = WithKeptKeys(environ, keys)
    assert dict(known) == {**environ, "OPENAI_API_KEY": KEY} and len(known) == 2 and "GROQ_API_KEY" not in known
    assert [config.name for config in preset_configs(known)] == ["openai"]
    endpoint = build(ProviderConfig(name="openai", preset="openai"), known)
    assert endpoint.api_key() == KEY
    environ["OPENAI_API_KEY"] = "sk-from-the-environment"
    assert endpoint.api_key() == "sk-from-the-environment"
    del environ["OPENAI_API_KEY"]
    keys.forget("OPENAI_API_KEY")
    assert endpoint.api_key() is None
