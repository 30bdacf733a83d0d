"""Events to JSON and back: the one place where the vocabulary meets a text format.

Each dataclass becomes an object tagged ``$type`` with its class name; fields that hold their default are
left out, so old readers and new writers get along as fields are added. Decoding follows the type hints, so
a model's own JSON (tool arguments, opaque payloads) can never pass itself off as one of our events: a plain
object that carries a ``$type`` key is wrapped when it is written.
"""

import dataclasses
import functools
import json
import sys
import types
import typing
from decimal import Decimal
from enum import Enum
from typing import Any

from ...providers import base as provider_base
from ...providers import events as provider_events
from ...providers.redact import redact_registered
from ...tools import events as tool_events
from . import budget_events, compaction_events, review_events, verify_events
from . import events as session_events
from .events import Stamped

VOCABULARY = (
    provider_base,
    provider_events,
    tool_events,
    session_events,
    budget_events,
    compaction_events,
    review_events,
    verify_events,
)
"""The modules whose classes stand in journals; a name means one class in all of them."""
TAG = "$type"
_PLAIN = "json"


def encode(value: Any) -> Any:
    """A JSON-ready copy of an event or any value inside one."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return str(value)
        case tuple() | list():
            return [encode(item) for item in typing.cast("tuple[Any, ...]", value)]
        case dict():
            plain = typing.cast("dict[str, Any]", value)
            return {TAG: _PLAIN, "value": plain} if TAG in plain else plain
        case _:
            return _encode_dataclass(value)


def journal_text(value: Any) -> str:
    """Compact JSON; with escapes where the text holds lone surrogates, which SQLite cannot store as they are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def without_keys(value: Any) -> Any:
    """The same JSON with registered keys replaced inside its texts; its structure stays whatever a key looks like."""
    match value:
        case str():
            return redact_registered(value)
        case list():
            return [without_keys(item) for item in typing.cast("list[Any]", value)]
        case dict():
            items = typing.cast("dict[str, Any]", value).items()
            return {name: item if name == TAG else without_keys(item) for name, item in items}
        case _:
            return value


def decode_stamped(row: dict[str, Any]) -> Stamped:
    """The event a journal row or a ``jsonl`` line holds. Raises ValueError for an unknown type or field."""
    try:
        return _decode(row, Stamped)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event of this version of Patchbay: {error}") from error


def decode_event(row: dict[str, Any]) -> session_events.SessionEvent:
    """The bare session event, without its stamp. Raises ValueError like ``decode_stamped``."""
    try:
        return _decode(row, session_events.SessionEvent)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event of this version of Patchbay: {error}") from error


def event_object(body: str) -> dict[str, Any]:
    """A journal row's event as plain JSON, for whoever wants a field or two; empty when it cannot be read."""
    try:
        found: object = json.loads(body)
    except ValueError:
        return {}
    return typing.cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _encode_dataclass(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {TAG: type(value).__name__}
    for name, default in _defaults(value.__class__):
        item = getattr(value, name)
        if item is not default and item != default:
            out[name] = encode(item)
    return out


@functools.cache
def _defaults(cls: Any) -> tuple[tuple[str, Any], ...]:
    """Field names with their default, or a sentinel equal to nothing where there is none."""
    return tuple((f.name, object() if f.default is dataclasses.MISSING else f.default) for f in dataclasses.fields(cls))


@functools.cache
def _classes() -> dict[str, type]:
    """Every dataclass of the vocabulary by name."""
    found: dict[str, type] = {}
    for module in VOCABULARY:
        for name, item in vars(module).items():
            if isinstance(item, type) and dataclasses.is_dataclass(item):
                found[name] = item
    return found


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, vars(sys.modules[cls.__module__]))


def _decode(value: Any, hint: Any) -> Any:
    if value is None:
        return None
    options = _options(hint)
    if isinstance(value, dict):
        return _decode_object(typing.cast("dict[str, Any]", value), options)
    if isinstance(value, list):
        items = typing.cast("list[Any]", value)
        for option in options:
            if typing.get_origin(option) is tuple:
                return tuple(_decode(item, typing.get_args(option)[0]) for item in items)
        return items
    for option in options:
        if isinstance(option, type) and issubclass(option, (Enum, Decimal)):
            return option(value)
    return value


def _decode_object(value: dict[str, Any], options: tuple[Any, ...]) -> Any:
    tag = value.get(TAG)
    if tag is None:
        return value
    if tag == _PLAIN:
        return value["value"]
    cls = _classes()[tag]
    if cls not in options:
        raise TypeError(f"{tag} is not allowed here")
    hints = _hints(cls)
    return cls(**{name: _decode(item, hints[name]) for name, item in value.items() if name != TAG})


@functools.cache
def _options(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a hint, unions flattened."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(option for part in typing.get_args(hint) for option in _options(part))
    return (hint,)
