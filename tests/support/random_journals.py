"""Journals made of any events at all: every class of the vocabulary, with every kind of value in every field.

The events follow no script; a few ids are used again and again, so that answers, runs and questions often find
each other.
"""

import dataclasses
import random
import sys
import types
import typing
from decimal import Decimal
from enum import Enum
from typing import Any

from patchbay.app.engine.events import NOT_JOURNALLED, SessionEvent, SessionForked, SessionStarted, Stamped
from patchbay.providers.events import JsonObject

SESSION = "session-any"
_WORDS = ("", "one", "two\nlines", "é🎉", "half \ud83c", "$type", "x" * 3000, "a key: sk")
_IDS = ("a", "b", "c")
_JSON: tuple[Any, ...] = ({}, {"path": "a.py"}, {"$type": "Stamped", "list": [1, [2.5, None], {"deep": [True]}]})
_DEEPEST = 6
_OFTEN = ("ProviderActivity", "ToolActivity", "RequestStarted", "PromptSubmitted")
_KINDS = typing.get_args(SessionEvent)


def random_journal(rng: random.Random, length: int) -> list[Stamped]:
    """So many events of one session, in order."""
    kinds = [kind for kind in _KINDS if kind not in (*NOT_JOURNALLED, SessionStarted, SessionForked)]
    weights = [12 if kind.__name__ in _OFTEN else 1 for kind in kinds]
    events: list[Any] = [SessionStarted(folder="/src/any", version="test")]
    events += [_made(kind, rng) for kind in rng.choices(kinds, weights, k=length - 1)]
    return [
        Stamped(seq=seq, at=1_700_000_000 + seq / 8, session_id=SESSION, event=event)
        for seq, event in enumerate(events, 1)
    ]


def _made(hint: Any, rng: random.Random, name: str = "", depth: int = 0) -> Any:
    options = _options(hint)
    if hint == JsonObject:
        return rng.choice(_JSON)
    chosen = rng.choice(options)
    if dataclasses.is_dataclass(chosen):
        hints = typing.get_type_hints(chosen, vars(sys.modules[typing.cast("type", chosen).__module__]))
        return typing.cast("Any", chosen)(
            **{field: _made(kind, rng, field, depth + 1) for field, kind in hints.items()}
        )
    if typing.get_origin(chosen) is tuple:
        count = rng.randrange(3) if depth < _DEEPEST else 0  # a price has tiers, which have prices
        return tuple(_made(typing.get_args(chosen)[0], rng, name, depth) for _ in range(count))
    if typing.get_origin(chosen) is dict:
        return rng.choice(_JSON)
    if isinstance(chosen, type) and issubclass(chosen, Enum):
        return rng.choice(list(chosen))
    if name.endswith("_id"):
        return rng.choice(_IDS)
    match chosen:
        case t if t is str:
            return rng.choice(_WORDS)
        case t if t is bool:
            return rng.random() < 0.5
        case t if t is int:
            return rng.randrange(3)
        case t if t is float:
            return rng.randrange(1000) / 8
        case t if t is Decimal:
            return Decimal(rng.randrange(10_000)) / 1000
        case _:
            return None


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(option for part in typing.get_args(hint) for option in _options(part))
    return (hint,)
