"""``patchbay models``: what can be chosen, with window, price and abilities."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from decimal import Decimal

from ...providers.base import ModelInfo, Online, Price, ProviderStatus
from ...tools.safe_text import safe_line, safe_text
from ..settings import SettingsError
from .arguments import ExitCode
from .headless import to_json
from .survey import model_row, open_catalogue, settings_of, survey


def models_command(options: argparse.Namespace) -> int:
    """Print all models and return the exit code. Raises SettingsError."""
    if options.action == "refresh":
        from .refresh_models import refresh_command  # only this command reads the published list

        return refresh_command(options)
    if options.source is not None:
        raise SettingsError("--from belongs to a refresh: patchbay models refresh --from FILE")
    settings = settings_of(options)
    catalogue = open_catalogue(settings, os.environ)
    statuses = asyncio.run(survey(settings, os.environ, catalogue=catalogue))
    warnings = [*settings.warnings, *([catalogue.problem] if catalogue.problem else [])]
    freshness = catalogue.freshness
    if options.json:
        rows = [model_row(model, status) for status in statuses for model in status.models]
        prices = {"date": freshness.date, "fetched": freshness.fetched}
        sys.stdout.write(to_json({"models": rows, "prices": prices, "warnings": warnings}) + "\n")
    else:
        sys.stdout.write(models_text(statuses))
        sys.stdout.flush()
        sys.stderr.write("".join(f"warning: {safe_line(warning)}\n" for warning in warnings))
        sys.stderr.write(f"{freshness.words(time.time())}\n")
    return ExitCode.OK


def models_text(statuses: Sequence[ProviderStatus]) -> str:
    """A table, one line a model, and why a provider that has none to offer cannot be used."""
    rows = [_row(model, status) for status in statuses for model in status.models]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{safe_line(each.name)}: {safe_text(each.problem)}" for each in statuses if each.problem]
    return "".join(f"{line}\n" for line in lines)


def window(tokens: int | None) -> str:
    """A context window in a few characters."""
    match tokens:
        case None:
            return "window ?"
        case _ if tokens >= 1_000_000:
            return f"{tokens / 1_000_000:.3g} M"
        case _ if tokens >= 1_000:
            return f"{tokens // 1_000} k"
        case _:
            return str(tokens)


def price_words(price: Price | None) -> str:
    """Input and output price for a million tokens; free and unknown are different things."""
    match price:
        case None:
            return "price ?"
        case _ if price.free:
            return "free"
        case _:
            return f"${_plain(price.input_per_mtok)} / ${_plain(price.output_per_mtok)}"


def _row(model: ModelInfo, status: ProviderStatus) -> tuple[str, str, str, str]:
    abilities = (("tools", model.tools), ("thinking", model.thinking), ("vision", model.vision))
    words = [name for name, able in abilities if able]
    if model.tools is False:
        words.append("no tools")
    if status.online is Online.OFFLINE:
        words.append("offline")
    return safe_line(str(model.ref)), window(model.context_window), price_words(model.price), " ".join(words)


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
