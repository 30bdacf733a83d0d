"""Reads a tool call that a model wrote as text, and decides whether it is one.

A call names a tool that exists, its arguments fit the tool's schema, and nothing else stands in its object. It is
not one when a tool result already holds the same call: then the model quotes what it was shown.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .events import JsonObject, JsonValue
from .json_schema import misfit
from .json_values import as_list, as_object, as_text, mend_object, parse_json
from .messages import ToolSpec

_NAMES = ("tool", "name", "function")
_ARGUMENTS = ("args", "arguments", "parameters", "input")
_ASIDE = ("id", "type", "call_id", "tool_call_id")
"""Members that say nothing about the call itself."""
KEYS = frozenset((*_NAMES, *_ARGUMENTS, *_ASIDE))

_DECODER = json.JSONDecoder(strict=False)
"""Models write line breaks inside of strings as they are."""
_SEPARATORS = re.compile(r"[\s,;]*")
_HEAD = re.compile(r'(?:\[\s*)?\{\s*"([A-Za-z_]+)"\s*:\s*(?:"([^"\\]*)"|[^"\s])')
_HEAD_SO_FAR = re.compile(r'(?:\[\s*)?(?:\{\s*(?:"[A-Za-z_]*(?:"\s*(?::\s*(?:"[^"\\]*)?)?)?)?)?')
_HEAD_LENGTH = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s",:{}\[\]]+', re.DOTALL)
_XML_TOKEN = re.compile(r"<[^<>]*>|[^<>\s]+")
_GAP = 40
"""Characters that may stand between two tokens of a quotation: blanks, punctuation, line numbers."""
_FUNCTION = re.compile(r"\s*<function=([\w.-]{1,64})>(.*)</function>\s*", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([\w.-]{1,64})>(.*?)</parameter>\s*(?=<parameter=|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCall:
    """A call in the text of an answer: a tool that exists, and arguments that fit it."""

    name: str
    arguments: JsonObject


class NotACall(Exception):
    """What was read is no call; the message says why, or is empty when it does not even look like one."""


@dataclass(frozen=True, slots=True)
class CallReader:
    """Knows the tools there are and what the model was shown."""

    tools: Sequence[ToolSpec]
    shown: Sequence[str] = ()
    """The tool results of the conversation."""
    _schemas: dict[str, JsonObject] = field(init=False, default_factory=dict[str, JsonObject])

    def __post_init__(self) -> None:
        self._schemas.update({tool.name: tool.parameters for tool in self.tools})

    def may_begin(self, head: str) -> bool | None:
        """Whether the JSON that begins like this may be a call; None when more of it is needed to tell."""
        head = head[:_HEAD_LENGTH]
        if found := _HEAD.match(head):
            key, value = found.groups()
            return key in KEYS and (key not in _NAMES or value is None or value in self._schemas)
        return None if len(head) < _HEAD_LENGTH and _HEAD_SO_FAR.fullmatch(head) else False

    def read_json(self, text: str, name: str = "") -> list[FoundCall]:
        """The calls in one or more JSON values; with a ``name``, the one object is its arguments.

        Raises ``NotACall`` when any value is none: calls are run all or not at all.
        """
        values = _values(text)
        if name:
            call = self._checked(name, values[0] if len(values) == 1 else None)
            self._refuse_quoted([name, *_TOKEN.findall(text)], name)
            return [call]
        objects = [each for value in values for each in (value if isinstance(value, list) else [value])]
        calls = [self._call(each) for each in objects]
        if not calls:
            raise NotACall
        self._refuse_quoted(_TOKEN.findall(text), calls[0].name)
        return calls

    def read_xml(self, text: str) -> list[FoundCall]:
        """The call in ``<function=NAME>`` and ``</function>``, its arguments as JSON or as ``<parameter=…>`` elements.

        Raises ``NotACall``.
        """
        found = _FUNCTION.fullmatch(text)
        if found is None:
            raise NotACall
        name, body = found.groups()
        if body.lstrip().startswith("{"):
            return self.read_json(body, name)
        properties = as_object(self._schemas.get(name, {}).get("properties"))
        arguments: JsonObject = {}
        at = 0
        while parameter := _PARAMETER.match(body, at):
            arguments[parameter[1]] = _typed(parameter[2], as_object(properties.get(parameter[1])))
            at = parameter.end()
        if body[at:].strip():
            raise NotACall
        call = self._checked(name, arguments)
        self._refuse_quoted(_XML_TOKEN.findall(text), name)
        return [call]

    def _call(self, value: JsonValue) -> FoundCall:
        if not isinstance(value, dict):
            raise NotACall
        wrapped = value.get("function")
        if isinstance(wrapped, dict) and value.keys() <= {"function", *_ASIDE}:
            return self._call(wrapped)
        names = [value[key] for key in _NAMES if key in value]
        arguments = [value[key] for key in _ARGUMENTS if key in value]
        spare = value.keys() - KEYS
        if spare or len(names) != 1 or len(arguments) > 1 or not (arguments or "tool" in value):
            raise NotACall
        return self._checked(as_text(names[0]), arguments[0] if arguments else {})

    def _checked(self, name: str, arguments: JsonValue) -> FoundCall:
        """The call, if the tool exists and takes the arguments, which may be JSON in a string."""
        schema = self._schemas.get(name)
        if schema is None:
            raise NotACall
        if isinstance(arguments, str):
            try:
                arguments = parse_json(arguments)
            except ValueError:
                raise NotACall(f"the arguments of {name} are no JSON object") from None
        if not isinstance(arguments, dict) or mend_object(arguments) != arguments:
            raise NotACall(f"the arguments of {name} are no JSON object")
        if problem := misfit(arguments, schema):
            raise NotACall(f"the arguments of {name} do not fit: {problem}")
        return FoundCall(name=name, arguments=arguments)

    def _refuse_quoted(self, tokens: Sequence[str], name: str) -> None:
        if any(_quotes(tokens, text) for text in self.shown):
            raise NotACall(f"a tool result holds the same call of {name}, so it was taken for a quotation")


def _values(text: str) -> list[JsonValue]:
    """The JSON values one after the other, with blanks, commas or semicolons between. Raises ``NotACall``."""
    values: list[JsonValue] = []
    at = _blank_end(text, 0)
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise NotACall from None
        values.append(value)
        at = _blank_end(text, at)
    return values


def _blank_end(text: str, at: int) -> int:
    found = _SEPARATORS.match(text, at)
    return found.end() if found else at


def _typed(text: str, schema: JsonObject) -> JsonValue:
    """The value of an XML parameter: text as it is but for the line breaks around it, else JSON."""
    if text.startswith("\n"):
        text = text[1:]
    text = text.removesuffix("\n")
    kinds = as_list(schema.get("type")) or [schema.get("type")]
    if "string" in kinds:
        return text
    try:
        return parse_json(text.lower() if "boolean" in kinds else text)
    except ValueError:
        return text


def _quotes(tokens: Sequence[str], text: str) -> bool:
    """True when the text holds all the tokens in their order and close to each other."""
    if not tokens:
        return False
    start = text.find(tokens[0])
    while start >= 0:
        if _follows(tokens[1:], text, start + len(tokens[0])):
            return True
        start = text.find(tokens[0], start + 1)
    return False


def _follows(tokens: Sequence[str], text: str, at: int) -> bool:
    for token in tokens:
        found = text.find(token, at, at + len(token) + _GAP)
        if found < 0:
            return False
        at = found + len(token)
    return True
