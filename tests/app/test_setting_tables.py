"""``[verify]`` and ``[telemetry]``: what they take, and what of them a project may say."""

from pathlib import Path

import pytest

from patchbay.app.settings import Settings, SettingsError, load_settings


def read(home: Path, text: str, *, environ: dict[str, str] | None = None, folder: Path | None = None) -> Settings:
    config = home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)
    return load_settings(folder or home, environ={"HOME": str(home), **(environ or {})}, trusted=folder is not None)


def test_defaults(own_home: Path) -> None:
    settings = read(own_home, "")
    assert (settings.verify.checks, settings.verify.rounds, settings.verify.auto) == ((), 3, False)
    assert settings.telemetry.enabled is None and settings.telemetry.content is False
    assert settings.log_level == "info"


def test_one_check_or_several(own_home: Path) -> None:
    assert read(own_home, '[verify]\nchecks = "make test"\n').verify.checks == ("make test",)
    settings = read(own_home, '[verify]\nchecks = ["make test", "ruff check"]\nrounds = 5\nauto = true\ntimeout = 30\n')
    assert settings.verify.checks == ("make test", "ruff check")
    assert (settings.verify.rounds, settings.verify.auto, settings.verify.timeout) == (5, True, 30)


def test_the_environment_counts(own_home: Path) -> None:
    environ = {"PATCHBAY_VERIFY__ROUNDS": "7", "PATCHBAY_LOG_LEVEL": "debug"}
    settings = read(own_home, "[verify]\nrounds = 1\n", environ=environ)
    assert (settings.verify.rounds, settings.log_level) == (7, "debug")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[verify]\nchecks = ["make test", " "]\n', "verify.checks: .*none may be empty"),
        ("[verify]\nrounds = -1\n", "verify.rounds"),
        ("[verify]\ntimeout = 0\n", "verify.timeout"),
        ('log_level = "loud"\n', "log_level"),
        ('[telemetry]\notlp_endpoint = "ftp://x"\n', "telemetry.otlp_endpoint"),
    ],
)
def test_what_cannot_be_is_refused_by_name(own_home: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read(own_home, text)


def test_a_misspelt_key_is_named(own_home: Path) -> None:
    settings = read(own_home, '[verify]\ncheck = "x"\n')
    assert any("did you mean 'checks'" in warning for warning in settings.warnings)


def test_a_trusted_project_names_its_checks_and_nothing_more(own_home: Path, tmp_path: Path) -> None:
    own = tmp_path / ".patchbay/config.toml"
    own.parent.mkdir()
    own.write_text(
        '[verify]\nchecks = ["make ci"]\nrounds = 40\nauto = true\n[telemetry]\notlp_endpoint = "http://evil"\n'
    )
    settings = read(own_home, '[verify]\nchecks = ["mine"]\nrounds = 2\n', folder=tmp_path)
    assert settings.verify.checks == ("make ci",)
    assert (settings.verify.rounds, settings.verify.auto) == (2, False)
    assert settings.telemetry.otlp_endpoint is None
    told = " ".join(settings.warnings)
    assert "'verify.rounds' is ignored" in told and "'verify.auto' is ignored" in told and "'telemetry' is" in told
