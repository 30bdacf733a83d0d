"""The JSON schemas that models see, and what they are told when their arguments do not fit."""

import difflib
import json
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from .base import ToolSchema
from .tool import Tool

_NAMED_ERRORS = 4


def schema_of(tool: Tool[Any]) -> ToolSchema:
    """The tool as the model sees it: without titles, and without references, which not every server resolves."""
    arguments = cast("type[BaseModel]", tool.arguments)
    schema = arguments.model_json_schema()
    definitions = cast("dict[str, Any]", schema.pop("$defs", {}))
    parameters = cast("dict[str, Any]", _plain(schema, definitions))
    parameters.pop("description", None)
    return ToolSchema(name=tool.name, description=tool.description, parameters=parameters)


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    match node:
        case {"$ref": str(reference)}:
            target = cast("dict[str, Any]", _plain(definitions[reference.rpartition("/")[2]], definitions))
            return {name: value for name, value in target.items() if name != "description"}
        case dict():
            fields = cast("dict[str, Any]", node)
            return {name: _field(name, value, definitions) for name, value in fields.items() if _kept(name, value)}
        case list():
            return [_plain(item, definitions) for item in cast("list[Any]", node)]
        case _:
            return node


def _kept(name: str, value: Any) -> bool:
    """Titles repeat the names, and lower limits go without saying; a property may be called ``title``."""
    return not (name == "title" and isinstance(value, str)) and name not in ("minLength", "minItems", "minimum")


def _field(name: str, value: Any, definitions: dict[str, Any]) -> Any:
    return value if name == "default" else _plain(value, definitions)


def argument_problems(tool: Tool[Any], arguments: dict[str, Any], error: ValidationError) -> str:
    """What is wrong with the arguments of a call, for the model: short, and with what the tool takes."""
    model = cast("type[BaseModel]", tool.arguments)
    problems = [
        _problem(details["loc"], details["msg"], model, arguments) for details in error.errors()[:_NAMED_ERRORS]
    ]
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    optional = [name for name, field in model.model_fields.items() if not field.is_required()]
    takes = ", ".join(required + [f"{name}?" for name in optional])
    return f"{tool.name} was not called: {'; '.join(problems)}. It takes: {takes}."


def _problem(where: tuple[int | str, ...], message: str, model: type[BaseModel], given: dict[str, Any]) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    if len(where) == 1 and where[0] not in given:
        unknown = [key for key in given if key not in model.model_fields]
        close = difflib.get_close_matches(str(where[0]), unknown, n=1, cutoff=0.4)
        return f"{name} is missing" + (f" (you gave {json.dumps(close[0])})" if close else "")
    text = message.removeprefix("Value error, ")
    return f"{name}: {text[:1].lower()}{text[1:]}" if name else text
