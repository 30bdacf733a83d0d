"""Checks a value against the part of JSON Schema that tool parameters use (json-schema.org, draft 2020-12).

Known keywords: ``type``, ``enum``, ``const``, ``required``, ``properties``, ``additionalProperties``, ``items``,
``anyOf``, ``oneOf``, ``allOf`` and ``$ref`` into the same document. All others are taken as met: the tool itself
checks its arguments again, in its own words.
"""

from collections.abc import Iterator

from .events import JsonObject, JsonValue
from .json_values import as_list, as_object, as_text

MAX_LEVELS = 32
"""How deep a schema is followed; one that refers to itself could go on for ever."""


def misfit(value: JsonValue, schema: JsonObject) -> str:
    """The first way in which the value departs from the schema, in words; empty when it fits."""
    return next(_misfits(value, schema, schema, "", MAX_LEVELS), "")


def _misfits(value: JsonValue, schema: JsonObject, root: JsonObject, where: str, levels: int) -> Iterator[str]:
    if not levels:
        yield f"{where or 'the value'} is nested too deep"
        return
    if reference := as_text(schema.get("$ref")):
        yield from _misfits(value, _target(reference, root), root, where, levels - 1)
    yield from _wrong_kind(value, schema, where)
    yield from _wrong_choice(value, schema, root, where, levels)
    match value:
        case dict():
            yield from _in_object(value, schema, root, where, levels)
        case list():
            items = schema.get("items")
            if isinstance(items, dict):
                for at, item in enumerate(value):
                    yield from _misfits(item, items, root, f"{where}[{at}]", levels - 1)
        case _:
            pass


def _target(reference: str, root: JsonObject) -> JsonObject:
    """The schema a reference such as ``#/$defs/Edit`` names; one that names nothing allows everything."""
    found: JsonValue = root
    for step in reference.removeprefix("#").split("/"):
        if step:
            found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
    return as_object(found)


def _wrong_kind(value: JsonValue, schema: JsonObject, where: str) -> Iterator[str]:
    wanted = schema.get("type")
    kinds = [as_text(kind) for kind in as_list(wanted)] if isinstance(wanted, list) else [as_text(wanted)]
    if any(kinds) and not any(_is_a(value, kind) for kind in kinds):
        yield f"{where or 'the value'} must be {' or '.join(kinds)}"
    allowed = schema.get("enum")
    if isinstance(allowed, list) and not any(_same(value, each) for each in allowed):
        yield f"{where or 'the value'} is none of the allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{where or 'the value'} is not the one allowed value"


def _is_a(value: JsonValue, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            whole = isinstance(value, float) and value.is_integer()
            return whole or (isinstance(value, int) and not isinstance(value, bool))
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            return True


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equal, and not only because Python counts True as 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _wrong_choice(value: JsonValue, schema: JsonObject, root: JsonObject, where: str, levels: int) -> Iterator[str]:
    def fits(option: JsonValue) -> bool:
        return next(_misfits(value, as_object(option), root, where, levels - 1), None) is None

    for option in as_list(schema.get("allOf")):
        yield from _misfits(value, as_object(option), root, where, levels - 1)
    either = as_list(schema.get("anyOf"))
    if either and not any(fits(option) for option in either):
        yield f"{where or 'the value'} fits none of the allowed forms"
    one = as_list(schema.get("oneOf"))
    if one and sum(fits(option) for option in one) != 1:
        yield f"{where or 'the value'} must fit exactly one of the allowed forms"


def _in_object(value: JsonObject, schema: JsonObject, root: JsonObject, where: str, levels: int) -> Iterator[str]:
    for name in as_list(schema.get("required")):
        if name not in value:
            yield f"{_member(where, as_text(name))} is missing"
    known = as_object(schema.get("properties"))
    other = schema.get("additionalProperties")
    for name, item in value.items():
        inner = known.get(name, other)
        if inner is False:
            yield f"{_member(where, name)} is unknown"
        elif isinstance(inner, dict):
            yield from _misfits(item, inner, root, _member(where, name), levels - 1)


def _member(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
