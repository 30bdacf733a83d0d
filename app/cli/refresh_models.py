"""``patchbay models refresh``: today's prices and windows, from models.dev or from a file."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...providers.catalogue import Catalogue
from ...providers.refresh import MAX_BYTES, SOURCE, Renewal, fetch, renew
from ...providers.snapshot import CatalogueError
from ...tools.safe_text import safe_line
from ..kept_catalogue import keep_catalogue, refreshed_file
from ..paths import find_paths
from .arguments import ExitCode
from .headless import to_json

_SHOWN = 5
"""So many wrong entries are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh did, and where it is kept."""

    renewal: Renewal
    file: Path


def refresh_command(options: argparse.Namespace) -> int:
    """Fetch, check, keep and say what is new; 1 with the reason when nothing was changed."""
    source: str = options.source or SOURCE
    try:
        done = asyncio.run(refresh_models(source, os.environ, now=time.time()))
    except CatalogueError as problem:
        sys.stderr.write(f"patchbay: models were not refreshed: {safe_line(str(problem))}\n")
        return ExitCode.FAILED
    sys.stdout.write(to_json(_row(done)) + "\n" if options.json else _text(done))
    return ExitCode.OK


async def refresh_models(
    source: str, environ: Mapping[str, str], *, now: float, fetch: Callable[[str], Awaitable[bytes]] = fetch
) -> Refreshed:
    """Put the table at an address or in a file in place of the one in use. ``now`` is in epoch seconds.

    Raises ``CatalogueError`` with the reason when it is refused; then nothing has changed.
    """
    live = source.startswith(("http://", "https://"))
    text = await fetch(source) if live else _read(source)
    file = refreshed_file(find_paths(environ))
    current = Catalogue({}, refreshed=file).snapshot
    try:
        renewal = renew(text, current, source=source, now=now, live=live)
    except CatalogueError as problem:
        raise CatalogueError(f"{source} is refused: {problem} Prices stay as of {current.date}.") from None
    try:
        keep_catalogue(file, renewal.snapshot.packed())
    except OSError as problem:
        raise CatalogueError(f"{file} cannot be written: {problem.strerror or problem}.") from None
    return Refreshed(renewal=renewal, file=file)


def _read(name: str) -> bytes:
    file = Path(name).expanduser()
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as problem:
        raise CatalogueError(f"{file} cannot be read: {problem.strerror or problem}.") from None


def _text(done: Refreshed) -> str:
    new = done.renewal
    lines = [
        f"{new.models:,} models of {len(new.snapshot.providers)} services, as of {new.snapshot.date}:"
        f" {new.added:,} new, {new.repriced:,} with other prices, {new.retired:,} no longer offered",
        f"kept in {done.file}",
    ]
    named = list(new.refused.items())[:_SHOWN]
    lines += [f"left as it was: {safe_line(f'{service}/{model}: {reason}')}" for (service, model), reason in named]
    if len(new.refused) > _SHOWN:
        lines.append(f"and {len(new.refused) - _SHOWN} more that cannot be right")
    return "".join(f"{line}\n" for line in lines)


def _row(done: Refreshed) -> dict[str, object]:
    new = done.renewal
    return {
        "date": new.snapshot.date,
        "models": new.models,
        "added": new.added,
        "repriced": new.repriced,
        "retired": new.retired,
        "refused": {f"{service}/{model}": reason for (service, model), reason in new.refused.items()},
        "file": str(done.file),
    }
