"""A newer table of models: fetched from models.dev, compared with the one in use, taken or refused with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from .json_values import as_object
from .models_dev import TABLES, Reduction, reduce_api
from .presets import is_loopback
from .redact import redact
from .snapshot import RETIRED, CatalogueError, Fact, Row, Snapshot, Table, fact, read_json

if TYPE_CHECKING:
    import httpx

SOURCE = "https://models.dev/api.json"
MAX_BYTES = 32_000_000
"""More than ten times of what is published."""
TIMEOUT_S = 30.0
MAX_REDIRECTS = 3
LEAST_KEPT = 0.5
"""A table with less than this share of the models now offered is no refresh but an accident."""
MOST_WRONG = 0.05
"""With more than this share of wrong entries the others are not to be trusted either."""
GRACE_DAYS = 3
"""How far the newest entry may lie before the day a table was made, where that table does not name its own newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The new table, and how it differs from the one in use."""

    snapshot: Snapshot
    added: int = 0
    repriced: int = 0
    retired: int = 0
    refused: Mapping[tuple[str, str], str]
    """Entries that cannot be right -> why; what was known of those models is kept."""

    @property
    def models(self) -> int:
        """How many models are offered."""
        return sum(len(self.snapshot.models(service)) for service in self.snapshot.providers)


async def fetch(url: str = SOURCE, *, transport: "httpx.AsyncBaseTransport | None" = None) -> bytes:
    """What is published at an address, without any key, within ``TIMEOUT_S`` and ``MAX_BYTES``.

    Raises ``CatalogueError`` with cause and fix. Redirects are followed to https only.
    """
    import asyncio

    import httpx  # here, so that nothing else loads an HTTP client

    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, headers={"User-Agent": "patchbay"}) as client,
        ):
            for _ in range(MAX_REDIRECTS + 1):
                _check_address(url)
                async with client.stream("GET", url) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["location"])
                        continue
                    return await _read(response, url)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as problem:
        raise CatalogueError(
            f"{redact(url)} cannot be fetched ({type(problem).__name__}: {redact(str(problem))}). Check the network, or"
            " fetch the file elsewhere and use --from FILE."
        ) from None
    raise CatalogueError(f"{redact(url)} redirects too often.")


async def _read(response: "httpx.Response", url: str) -> bytes:
    if response.status_code != 200:
        raise CatalogueError(f"{redact(url)} answered with HTTP {response.status_code}. Try again later.")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise CatalogueError(
                f"{redact(url)} sends more than {MAX_BYTES // 1_000_000} MB: that is no list of models."
            )
    return bytes(body)


def _check_address(url: str) -> None:
    """Prices decide what is shown as money: they come over TLS, or from this machine."""
    if urlsplit(url).scheme != "https" and not is_loopback(url):
        raise CatalogueError(
            f"{redact(url)} is not https: prices are only taken from an address nobody can stand in for."
        )


def renew(text: bytes, current: Snapshot, *, source: str, now: float, live: bool) -> Renewal:
    """The table in a published file, completed by what only ``current`` knows.

    ``now`` is the time of the fetch in epoch seconds. ``live`` says that the file was published just now; else it
    describes the day of its newest entry, or that of ``current`` where it is as new. Models that are gone are still
    answered for, but no longer offered. Raises ``CatalogueError`` with the reason when the file is none, mostly wrong,
    much too small, or older.
    """
    if len(text) > MAX_BYTES:
        raise CatalogueError(f"it is larger than {MAX_BYTES // 1_000_000} MB: that is no list of models.")
    try:
        published = as_object(read_json(text))
    except ValueError as problem:
        raise CatalogueError(f"it is no JSON ({problem}).") from None
    reduction = reduce_api(published)
    _check_rows(reduction)
    _check_age(reduction, current)
    providers = {service: _completed(service, reduction, current) for service in {*TABLES, *current.providers}}
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    renewed = Snapshot(
        date=today if live else max(reduction.newest, current.date),
        providers={service: table for service, table in sorted(providers.items()) if table},
        source=source,
        newest=reduction.newest,
        fetched=int(now),
    )
    return _compared(renewed, current, reduction)


def _check_rows(reduction: Reduction) -> None:
    taken, refused = sum(map(len, reduction.providers.values())), len(reduction.refused)
    if not taken and not refused:
        raise CatalogueError(f"it has no model of a service that is known here: {SOURCE} has the right form.")
    if refused > MOST_WRONG * (taken + refused):
        (service, model), reason = next(iter(reduction.refused.items()))
        raise CatalogueError(
            f"{refused} of its {taken + refused} entries cannot be right, for example {service}/{model}: {reason}."
        )


def _check_age(reduction: Reduction, current: Snapshot) -> None:
    """Raises ``CatalogueError`` when what is offered is older than what there is."""
    if not reduction.newest:
        return
    if current.newest:
        if reduction.newest < current.newest:
            raise CatalogueError(
                f"it is older: its newest entry is of {reduction.newest}, the one in use has one of {current.newest}."
            )
        return
    try:
        behind = date.fromisoformat(current.date) - date.fromisoformat(reduction.newest)
    except ValueError:
        return
    if behind.days > GRACE_DAYS:
        raise CatalogueError(
            f"it is older: its newest entry is of {reduction.newest}, the one in use of {current.date}."
        )


def _completed(service: str, reduction: Reduction, current: Snapshot) -> Table:
    """The new rows, rows known before in place of wrong ones, and the rows of models that are gone, as retired."""
    new, old = reduction.providers.get(service, {}), current.providers.get(service, {})
    kept = {
        model: row if (service, model) in reduction.refused else as_retired(row)
        for model, row in old.items()
        if model not in new
    }
    return new | kept


def as_retired(row: Row) -> Row:
    """The row of a model that is answered for but not offered."""
    context, output, _, *prices = row
    return [context, output, fact(row).flags | RETIRED, *prices]


def _compared(renewed: Snapshot, current: Snapshot, reduction: Reduction) -> Renewal:
    """Counts the differences. Raises ``CatalogueError`` when most of what is offered would be lost."""
    old, new = _offered(current), _offered(renewed)
    if len(new) < LEAST_KEPT * len(old) or len(old.keys() & new.keys()) < LEAST_KEPT * len(old):
        raise CatalogueError(
            f"it would lose most models: {len(old.keys() & new.keys())} of the {len(old)} now offered are in it."
        )
    return Renewal(
        snapshot=renewed,
        added=len(new.keys() - old.keys()),
        repriced=sum(old[key].price != new[key].price for key in old.keys() & new.keys()),
        retired=len(old.keys() - new.keys()),
        refused=reduction.refused,
    )


def _offered(snapshot: Snapshot) -> dict[tuple[str, str], Fact]:
    facts = {
        (service, model): fact(row) for service, table in snapshot.providers.items() for model, row in table.items()
    }
    return {key: known for key, known in facts.items() if not known.flags & RETIRED}
