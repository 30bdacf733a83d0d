"""``patchbay models refresh``: offline from a file, whole or not at all, and shown wherever prices are."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from patchbay.app.cli.arguments import parse
from patchbay.app.cli.models import models_command
from patchbay.app.cli.refresh_models import refresh_models
from patchbay.app.kept_catalogue import keep_catalogue, refreshed_file
from patchbay.app.paths import find_paths
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.models_dev import TABLES
from patchbay.providers.snapshot import RETIRED, CatalogueError, fact, shipped

NOW = 1_795_000_000


def api(day: str = "2026-11-01", *, paid: float = 4.25) -> bytes:
    """Everything that is offered, published anew, each at the same price."""
    services = {
        TABLES[service]: {
            "models": {
                model: {
                    "last_updated": day,
                    "modalities": {"input": ["text"], "output": ["text"]},
                    "limit": {"context": 1000, "output": 100},
                    "cost": {"input": paid, "output": 8},
                }
                for model, row in table.items()
                if not fact(row).flags & RETIRED
            }
        }
        for service, table in shipped().providers.items()
    }
    return json.dumps(services).encode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return environ


def run(*words: str) -> int:
    return models_command(parse(["models", *words]).options)


def test_from_a_file_and_then_everywhere(
    home: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.json").write_bytes(api())
    assert run("refresh", "--from", "api.json") == 0
    assert "as of 2026-11-01" in capsys.readouterr().out
    file = refreshed_file(find_paths(home))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert run() == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == "prices as of 2026-11-01, refreshed just now"


def test_as_json(home: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api.json").write_bytes(api())
    assert run("refresh", "--json", "--from", "api.json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["date"], said["added"], said["retired"], said["refused"]) == ("2026-11-01", 0, 0, {})
    assert run("--json") == 0
    assert json.loads(capsys.readouterr().out)["prices"]["date"] == "2026-11-01"


@pytest.mark.parametrize(
    ("text", "reason"),
    [(b"{}", "no model of a service"), (api("2025-01-01"), "is older"), (b"{", "no JSON")],
)
def test_what_is_refused_changes_nothing(
    text: bytes, reason: str, home: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.json").write_bytes(text)
    assert run("refresh", "--from", "api.json") == 1
    said = capsys.readouterr().err
    assert reason in said and f"Prices stay as of {shipped().date}" in said
    assert not refreshed_file(find_paths(home)).exists()


def test_a_missing_file_is_named(home: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("refresh", "--from", "nowhere.json") == 1
    assert "nowhere.json cannot be read: No such file" in capsys.readouterr().err


def test_from_an_address(home: dict[str, str]) -> None:
    async def fetch(url: str) -> bytes:
        assert url == "https://mirror.example/api.json"
        return api()

    asyncio.run(refresh_models("https://mirror.example/api.json", home, now=NOW, fetch=fetch))
    catalogue = Catalogue({}, refreshed=refreshed_file(find_paths(home)))
    assert catalogue.freshness.words(NOW + 7200) == "prices refreshed 2 h ago"
    price = catalogue.facts("anthropic", "claude-sonnet-4-6").price
    assert price is not None and str(price.input_per_mtok) == "4.25"


def test_an_older_file_does_not_replace_a_newer_one(home: dict[str, str]) -> None:
    async def newer(url: str) -> bytes:
        return api("2026-11-10")

    async def older(url: str) -> bytes:
        return api("2026-11-09", paid=1)

    asyncio.run(refresh_models("https://a.example", home, now=NOW, fetch=newer))
    before = refreshed_file(find_paths(home)).read_bytes()
    with pytest.raises(CatalogueError, match="is older"):
        asyncio.run(refresh_models("https://a.example", home, now=NOW + 5, fetch=older))
    assert refreshed_file(find_paths(home)).read_bytes() == before


def test_a_broken_file_is_said(home: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    keep_catalogue(refreshed_file(find_paths(home)), b"broken")
    assert run() == 0
    said = capsys.readouterr().err
    assert "warning: The refreshed prices in" in said
    assert said.splitlines()[-1] == f"prices as of {shipped().date}, shipped"


def test_from_alone_is_wrong_usage(home: dict[str, str]) -> None:
    from patchbay.app.settings import SettingsError

    with pytest.raises(SettingsError, match="models refresh --from"):
        run("--from", "api.json")
