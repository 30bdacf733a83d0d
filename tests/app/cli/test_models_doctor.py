import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from patchbay.app.cli.doctor import Diagnosis, diagnosis_row, diagnosis_text
from patchbay.app.cli.models import models_text, price_words, window
from patchbay.app.cli.survey import model_row, reached
from patchbay.app.paths import Paths
from patchbay.app.settings import load_settings
from patchbay.providers.base import (
    FREE,
    ModelInfo,
    ModelRef,
    Online,
    Origin,
    Price,
    ProviderConfigError,
    ProviderStatus,
)

CLAUDE = ModelInfo(
    ref=ModelRef(provider="anthropic", model="claude-sonnet-4-6"),
    context_window=1_000_000,
    tools=True,
    thinking=True,
    price=Price(input_per_mtok=Decimal("3.00"), output_per_mtok=Decimal(15), cache_read_per_mtok=Decimal("0.30")),
)
QWEN = ModelInfo(ref=ModelRef(provider="ollama", model="qwen3:4b"), context_window=32_768, tools=False, price=FREE)
ODD = ModelInfo(ref=ModelRef(provider="lab", model="x\x1b[2J"))


def status(name: str, online: Online, *models: ModelInfo, **more: Any) -> ProviderStatus:
    given = {"origin": Origin.CONFIGURED, "local": False, "dialect": "openai_chat", **more}
    return ProviderStatus(name=name, online=online, models=models, **given)


ANTHROPIC = status("anthropic", Online.ONLINE, CLAUDE, base_url="https://api.anthropic.com")
OLLAMA = status("ollama", Online.OFFLINE, QWEN, problem="ollama stopped answering: start it again")
BROKEN = status("work", Online.DISABLED, problem="Environment variable NOPE is not set")
DEMO = status("demo", Online.ONLINE, origin=Origin.DEMO)


# -- models ------------------------------------------------------------------------------------------------------------


def test_models_stand_in_columns_with_units() -> None:
    assert models_text((ANTHROPIC, OLLAMA)).splitlines() == [
        "anthropic/claude-sonnet-4-6  1 M   $3 / $15  tools thinking",
        "ollama/qwen3:4b              32 k  free      no tools offline",
        "ollama: ollama stopped answering: start it again",
    ]


def test_names_from_a_server_cannot_steer_the_terminal() -> None:
    assert models_text((status("lab", Online.ONLINE, ODD),)).startswith("lab/x  window ?  price ?")


@pytest.mark.parametrize(
    ("tokens", "words"), [(None, "window ?"), (512, "512"), (8_192, "8 k"), (1_048_576, "1.05 M"), (2_000_000, "2 M")]
)
def test_window(tokens: int | None, words: str) -> None:
    assert window(tokens) == words


def test_free_unknown_and_priced_differ() -> None:
    cheap = Price(input_per_mtok=Decimal("0.14"), output_per_mtok=Decimal("10"))
    assert [price_words(price) for price in (FREE, None, cheap)] == ["free", "price ?", "$0.14 / $10"]


def test_model_as_json() -> None:
    row = json.loads(json.dumps(model_row(CLAUDE, ANTHROPIC)))
    assert (row["ref"], row["online"], row["vision"]) == ("anthropic/claude-sonnet-4-6", "online", None)
    assert row["price"] == {
        "input_per_mtok": "3.00",
        "output_per_mtok": "15",
        "cache_read_per_mtok": "0.30",
        "cache_write_per_mtok": None,
    }
    assert model_row(ODD, ANTHROPIC)["price"] is None


# -- doctor ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def diagnosis(tmp_path: Path) -> Any:
    def make(*statuses: ProviderStatus) -> Diagnosis:
        settings = load_settings(tmp_path, environ={"HOME": str(tmp_path)})
        paths = Paths(config_file=settings.config_file, state_folder=tmp_path / "state")
        return Diagnosis(settings=settings, paths=paths, statuses=statuses)

    return make


def test_doctor_says_of_each_provider_what_is_wrong(diagnosis: Any) -> None:
    shown = diagnosis_text(diagnosis(ANTHROPIC, OLLAMA, BROKEN, DEMO))
    assert "anthropic: answers (configured, openai_chat at https://api.anthropic.com, claude-sonnet-4-6)" in shown
    assert "ollama: offline" in shown
    assert "    ollama stopped answering: start it again" in shown
    assert "work: disabled" in shown
    assert "    Environment variable NOPE is not set" in shown
    assert "Start it: patchbay" in shown


def test_doctor_without_anything_usable_tells_each_way_to_connect(diagnosis: Any) -> None:
    nothing = diagnosis(OLLAMA, BROKEN, DEMO)
    shown = diagnosis_text(nothing)
    assert nothing.usable == ()
    for way in ("export ANTHROPIC_API_KEY=", "get a key at https://", "start Ollama", "[provider]", "patchbay --demo"):
        assert way in shown
    assert str(nothing.settings.config_file) in shown
    assert "no such file" in shown


def test_the_demo_alone_is_nothing_usable(diagnosis: Any) -> None:
    assert diagnosis(DEMO).usable == ()
    assert [each.name for each in diagnosis(ANTHROPIC, DEMO).usable] == ["anthropic"]


def test_doctor_as_json(diagnosis: Any) -> None:
    row = json.loads(json.dumps(diagnosis_row(diagnosis(ANTHROPIC, BROKEN))))
    assert row["usable"] == ["anthropic"]
    assert row["config_file_exists"] is False
    assert [(each["name"], each["state"], each["problem"]) for each in row["providers"]] == [
        ("anthropic", "online", ""),
        ("work", "disabled", "Environment variable NOPE is not set"),
    ]


class Listing:
    """A provider, and the directory that finds it, that lists its models or says why not."""

    def __init__(self, problem: Exception | None = None) -> None:
        self._problem = problem

    def provider(self, ref: ModelRef) -> "Listing":
        return self

    async def list_models(self) -> list[str]:
        if self._problem is not None:
            raise self._problem
        return ["m"]


async def test_a_service_that_is_only_asked_when_used_is_asked_by_the_doctor() -> None:
    unasked = status("anthropic", Online.UNKNOWN, CLAUDE)
    assert (await reached(Listing(), unasked)).online is Online.ONLINE


async def test_a_refused_key_is_told_and_never_shown() -> None:
    refused = ProviderConfigError("401: check ANTHROPIC_API_KEY (sk-ant-api03-0123456789abcdefghij was sent)")
    found = await reached(Listing(refused), status("anthropic", Online.UNKNOWN))
    assert found.online is Online.OFFLINE
    assert "check ANTHROPIC_API_KEY" in found.problem
    assert "sk-ant" not in found.problem


async def test_a_service_that_hangs_is_offline() -> None:
    found = await reached(Listing(TimeoutError()), status("slow", Online.UNKNOWN, base_url="https://slow.example"))
    assert (found.online, "https://slow.example did not answer" in found.problem) == (Online.OFFLINE, True)


async def test_what_is_known_already_is_not_asked_again() -> None:
    never = Listing(AssertionError("asked"))
    assert await reached(never, OLLAMA) is OLLAMA
