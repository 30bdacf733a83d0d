"""Asks what can be used now, without starting a session: for ``models`` and ``doctor``."""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...providers.base import ModelInfo, ModelRef, Online, Price, ProviderConfigError, ProviderStatus
from ...providers.catalogue import Catalogue
from ...providers.demo import demo_provider
from ...providers.directory import ProviderDirectory
from ...providers.exchanges import ExchangeLog
from ...providers.probed import Probed
from ...providers.redact import redact
from ...tools.safe_text import safe_text
from ..engine.wiring import Directory
from ..kept_catalogue import refreshed_file
from ..kept_keys import with_kept_keys
from ..kept_lessons import PROBES_FILE, KeptProbes
from ..paths import Paths, find_paths
from ..settings import Settings, load_settings

REACH_TIMEOUT_S = 10.0
"""The longest a service is waited for when it is asked whether it answers."""


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings a command that works on no session needs. Raises SettingsError."""
    return load_settings(Path.cwd(), environ=os.environ, trusted=options.trust, config_file=options.config)


def open_catalogue(settings: Settings, environ: Mapping[str, str]) -> Catalogue:
    """What is known of models: the person's prices, the table fetched last, the shipped one."""
    return Catalogue(settings.prices(), windows=settings.context_windows, refreshed=refreshed_file(find_paths(environ)))


def prices_line(settings: Settings, paths: Paths) -> str:
    """How old prices are, and what is wrong with the table that was fetched."""
    catalogue = Catalogue(settings.prices(), windows=settings.context_windows, refreshed=refreshed_file(paths))
    words = catalogue.freshness.words(time.time())
    return f"{words}\nwarning   {safe_text(catalogue.problem)}" if catalogue.problem else words


async def survey(
    settings: Settings, environ: Mapping[str, str], *, reach: bool = False, catalogue: Catalogue | None = None
) -> tuple[ProviderStatus, ...]:
    """Every provider with its state and models, local servers searched for.

    With ``reach`` the services that are otherwise only asked when used are asked too: with their key, for their
    list of models, which costs nothing.
    """
    async with open_directory(settings, environ, catalogue) as directory:
        return await asked(directory, reach=reach)


async def asked(directory: ProviderDirectory, *, reach: bool) -> tuple[ProviderStatus, ...]:
    """``survey`` of a directory that is open already."""
    await directory.refresh()
    statuses = directory.statuses()
    if reach:
        return tuple(await asyncio.gather(*(reached(directory, status) for status in statuses)))
    return statuses


@asynccontextmanager
async def open_directory(
    settings: Settings,
    environ: Mapping[str, str],
    catalogue: Catalogue | None = None,
    log: ExchangeLog | None = None,
) -> AsyncGenerator[ProviderDirectory, None]:
    """Every provider of the settings, closed at the end of the block. What a probe finds is kept.

    ``log`` gets to see what goes over the wire.
    """
    paths = find_paths(environ)
    probes = KeptProbes(paths.state_folder / PROBES_FILE)
    directory = ProviderDirectory(
        settings.provider_configs(),
        with_kept_keys(environ, paths),
        open_catalogue(settings, environ) if catalogue is None else catalogue,
        default_provider=settings.start_provider(),
        demo=demo_provider(),
        config_file=str(settings.config_file),
        log=log,
        probed=Probed(probes.read(), keep=probes.add),
    )
    try:
        yield directory
    finally:
        await directory.aclose()


def model_row(model: ModelInfo, status: ProviderStatus) -> dict[str, Any]:
    """One model as JSON. What is unknown is null; prices are decimal strings, USD for a million tokens."""
    return {
        "ref": str(model.ref),
        "provider": model.ref.provider,
        "model": model.ref.model,
        "context_window": model.context_window,
        "max_output": model.max_output,
        "tools": model.tools,
        "vision": model.vision,
        "thinking": model.thinking,
        "price": None if model.price is None else _price_row(model.price),
        "online": status.online.value,
        "origin": status.origin.value,
    }


async def reached(directory: Directory, status: ProviderStatus) -> ProviderStatus:
    """The status after asking a service that has not been asked yet. Costs nothing; never raises."""
    if status.online is not Online.UNKNOWN:
        return status
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            await directory.provider(ModelRef(provider=status.name, model="")).list_models()
    except ProviderConfigError as error:
        return replace(status, online=Online.OFFLINE, problem=redact(str(error)))
    except TimeoutError:
        problem = f"{status.base_url} did not answer within {REACH_TIMEOUT_S:g} s: check the network"
        return replace(status, online=Online.OFFLINE, problem=problem)
    return replace(status, online=Online.ONLINE)


def _price_row(price: Price) -> dict[str, str | None]:
    def plain(amount: Decimal | None) -> str | None:
        return None if amount is None else f"{amount:f}"

    return {
        "input_per_mtok": plain(price.input_per_mtok),
        "output_per_mtok": plain(price.output_per_mtok),
        "cache_read_per_mtok": plain(price.cache_read_per_mtok),
        "cache_write_per_mtok": plain(price.cache_write_per_mtok),
    }
