"""Reading JSON that nobody vouches for: every function takes any value and never raises.

A server may send null, a number or a list where its documentation promises text; a reader that asks for the
kind it needs and gets a harmless empty value otherwise needs no ``try`` and cannot crash on a surprise.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import cast

from .events import JsonObject, JsonValue

MAX_LEVELS = 100
"""How deep a value may nest that is kept or sent back."""


def parse_json(text: str) -> JsonValue:
    """The value the text holds. Raises ValueError for anything else, nesting too deep to follow included."""
    try:
        return cast(JsonValue, json.loads(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_object(text: str) -> JsonObject | None:
    """The JSON object the text holds, or None when it holds anything else."""
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def as_object(value: JsonValue) -> JsonObject:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: JsonValue) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: JsonValue) -> int | None:
    """A count (tokens, an index): a number that is whole and not negative, else None."""
    match value:
        case bool():
            return None
        case int() if value >= 0:
            return value
        case float() if value >= 0 and value.is_integer():
            return int(value)
        case _:
            return None


def as_index(value: JsonValue) -> int | None:
    """A place in a list: a count, which some servers write as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else as_count(value)


def as_json_text(value: JsonValue) -> str:
    """JSON as text where a server may send it as a value: text as it is, an object written out, else nothing."""
    return to_json(value) if isinstance(value, dict) else as_text(value)


def first_count(source: Mapping[str, JsonValue], *names: str) -> int | None:
    """The first of the named members that is a count."""
    return next((count for name in names if (count := as_count(source.get(name))) is not None), None)


def to_json(value: JsonValue) -> str:
    """Compact JSON text with the characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def mend_text(text: str) -> str:
    """The text with surrogate pairs joined and lone halves replaced, so that it can be encoded as UTF-8.

    JSON escapes such as ``\\ud83d`` can leave halves of a character in a string; no file, socket or database
    takes them.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mend_json(value: JsonValue, levels: int = MAX_LEVELS) -> JsonValue:
    """The value with every text mended; what nothing else could carry on turns to null.

    That is NaN and infinity, which JSON does not know, and whatever is nested deeper than ``levels``, on which
    recursive readers of the event would fail.
    """
    match value:
        case str():
            return mend_text(value)
        case float():
            return value if isfinite(value) else None
        case list():
            return [mend_json(item, levels - 1) for item in value] if levels else None
        case dict():
            return {mend_text(name): mend_json(item, levels - 1) for name, item in value.items()} if levels else None
        case _:
            return value


def mend_object(value: JsonObject) -> JsonObject:
    """``mend_json`` for an object."""
    return as_object(mend_json(value))
