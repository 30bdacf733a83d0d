from typing import Any

import pytest

from patchbay.providers.json_schema import misfit

EDIT = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "edits": {"type": "array", "items": {"$ref": "#/$defs/Edit"}},
        "mode": {"enum": ["fast", "safe"]},
        "limit": {"type": ["integer", "null"]},
        "on": {"type": "boolean"},
        "ratio": {"type": "number"},
        "where": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"const": 1},
        "either": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        "all": {"allOf": [{"type": "object"}, {"required": ["x"]}]},
        "strict": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["path"],
    "$defs": {"Edit": {"type": "object", "properties": {"old": {"type": "string"}}, "required": ["old"]}},
}


@pytest.mark.parametrize(
    "value",
    [
        {"path": "a"},
        {"path": "a", "unknown": 1},
        {"path": "a", "edits": []},
        {"path": "a", "edits": [{"old": "x"}, {"old": "y", "new": 1}]},
        {"path": "a", "mode": "safe"},
        {"path": "a", "limit": 3},
        {"path": "a", "limit": 3.0},
        {"path": "a", "limit": None},
        {"path": "a", "on": False, "ratio": 2},
        {"path": "a", "where": None},
        {"path": "a", "kind": 1},
        {"path": "a", "either": 1.5},
        {"path": "a", "all": {"x": 1}},
        {"path": "a", "strict": {"a": [1]}},
        {"path": "a", "counts": {"b": 2}},
    ],
)
def test_what_fits(value: Any) -> None:
    assert misfit(value, EDIT) == ""


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "the value must be object"),
        ({}, "path is missing"),
        ({"path": 3}, "path must be string"),
        ({"path": None}, "path must be string"),
        ({"path": "a", "edits": {}}, "edits must be array"),
        ({"path": "a", "edits": [{"old": "x"}, {}]}, "edits[1].old is missing"),
        ({"path": "a", "edits": [{"old": 1}]}, "edits[0].old must be string"),
        ({"path": "a", "mode": "slow"}, "mode is none of the allowed values"),
        ({"path": "a", "limit": True}, "limit must be integer or null"),
        ({"path": "a", "limit": 2.5}, "limit must be integer or null"),
        ({"path": "a", "on": 1}, "on must be boolean"),
        ({"path": "a", "ratio": "2"}, "ratio must be number"),
        ({"path": "a", "where": 1}, "where fits none of the allowed forms"),
        ({"path": "a", "kind": True}, "kind is not the one allowed value"),
        ({"path": "a", "either": 1}, "either must fit exactly one of the allowed forms"),
        ({"path": "a", "all": {}}, "all.x is missing"),
        ({"path": "a", "strict": {"b": 1}}, "strict.b is unknown"),
        ({"path": "a", "counts": {"b": "2"}}, "counts.b must be integer"),
    ],
)
def test_what_does_not_fit(value: Any, problem: str) -> None:
    assert misfit(value, EDIT) == problem


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    endless: Any = {"$ref": "#"}
    assert misfit(1, endless) == "the value is nested too deep"
    tree: Any = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert misfit({"child": {"child": {}}}, tree) == ""
    assert misfit({"child": {"child": 1}}, tree) == "child.child must be object"


def test_an_unknown_reference_or_keyword_allows_everything() -> None:
    assert misfit(1, {"$ref": "#/$defs/none"}) == ""
    assert misfit("x", {"format": "date", "type": "anything"}) == ""
