"""``patchbay login`` and ``logout``, from the keyboard and from a pipe."""

import io
import sys

import pytest

from patchbay.app.cli import main
from patchbay.app.kept_keys import kept_keys
from patchbay.app.paths import find_paths

KEY = "sk-ant-entered-0123456789"
SETTINGS = """
[providers.work]
base_url = "https://llm.example.com/v1"
model = "m"

[providers.team]
base_url = "https://team.example.com/v1"
api_key_env = "TEAM_KEY"
model = "m"
"""


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def keys(own_home):
    return kept_keys(find_paths({"HOME": str(own_home)}))


@pytest.fixture
def typed(monkeypatch):
    """Lets a key be piped in."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_piped_key_is_kept_used_listed_without_being_shown_and_forgotten(keys, typed, capsys):
    typed(f"{KEY}\nmore\n")
    assert main(["login", "anthropic"]) == 0
    assert keys.key("ANTHROPIC_API_KEY") == KEY
    assert main(["login", "--list"]) == 0
    said = capsys.readouterr()
    assert "anthropic" in said.out and "file" in said.out and KEY not in said.out + said.err
    assert main(["logout", "anthropic"]) == 0
    assert keys.key("ANTHROPIC_API_KEY") is None
    assert main(["logout", "anthropic"]) == 2
    assert "No key is kept for anthropic" in capsys.readouterr().err
    assert main(["login", "--list"]) == 0
    assert "No key is kept" in capsys.readouterr().out


def test_a_key_is_asked_for_without_being_shown(keys, monkeypatch, capsys):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda prompt: KEY if "not shown" in prompt else "")
    assert main(["login", "openai"]) == 0
    assert keys.key("OPENAI_API_KEY") == KEY
    assert "https://platform.openai.com/api-keys" in capsys.readouterr().out

    def gone(_prompt):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", gone)
    assert main(["login", "groq"]) == 2 and keys.key("GROQ_API_KEY") is None
    assert "No key was entered" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "schl\u00fcssel\n", "a\x1bb\n"])
def test_what_is_no_key_is_refused_and_not_repeated(keys, typed, capsys, text):
    typed(text)
    assert main(["login", "anthropic"]) == 2
    said = capsys.readouterr()
    assert "That is no key" in said.err and keys.places() == {}
    assert not text.strip() or text.strip() not in said.err


def test_the_variable_of_the_settings_is_the_one_it_stands_for(keys, typed, tmp_path, capsys):
    settings = tmp_path / "config.toml"
    settings.write_text(SETTINGS)
    typed(f"{KEY}\n")
    assert main(["login", "team", "--config", str(settings)]) == 0
    assert keys.key("TEAM_KEY") == KEY
    assert main(["login", "work", "--config", str(settings)]) == 2
    assert 'api_key_env = "WORK_API_KEY"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["login"], "Name the provider"),
        (["login", "nobody"], "There is no provider"),
        (["login", "ollama"], "ollama wants no key"),
        (["logout", "nobody"], "There is no provider"),
    ],
)
def test_a_wrong_name_is_named_with_the_right_ones(keys, typed, capsys, words, said):
    typed(f"{KEY}\n")
    assert main(words) == 2
    assert said in capsys.readouterr().err and keys.places() == {}


def test_a_variable_that_is_set_is_said_to_go_before_it(keys, typed, monkeypatch, capsys):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-environment")
    typed(f"{KEY}\n")
    assert main(["login", "anthropic"]) == 0
    assert "ANTHROPIC_API_KEY is set here and goes before it" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(keys, typed, monkeypatch, capsys):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("patchbay.app.kept_keys.replace_private_file", full)
    typed(f"{KEY}\n")
    assert main(["login", "anthropic"]) == 2
    said = capsys.readouterr().err
    assert "credentials.json: the key cannot be kept: No space left on device" in said and KEY not in said
