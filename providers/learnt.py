"""What servers were heard to refuse: fields a model at an endpoint does not take, left out from then on.

Servers differ in the fields they know, and models of one server too. A refusal that names a field of the request is
taken at its word: the field goes, or gets the name the server asks for, and the request is sent again. A field whose
loss would change what is asked never goes; tools do not either, for ``text_tools`` has a better answer to that.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .endpoint import Endpoint
from .errors import read_error
from .events import JsonObject, JsonValue
from .json_values import as_list, as_object, as_text, parse_json

_ESSENTIAL = frozenset({"model", "messages", "input", "prompt", "system", "instructions", "stream", "tools"})
"""Fields that are the request."""
_NEEDED_BY = {"anthropic_messages": frozenset({"max_tokens"})}
"""Fields a protocol cannot do without."""
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Names of one and the same thing."""
_WITHIN = ("cache_control", "strict", "reasoning_content", "reasoning_details", "tool_name")
"""Fields of messages, blocks and tools that may go wherever they are."""
_NOT_OURS = frozenset({"input_schema", "parameters", "arguments", "input"})
"""An object in one of these belongs to a tool."""

_ALSO_CALLED: dict[str, str] = {
    "think": r"thinking",
    "thinking": r"adaptive thinking",
    "output_config": r"effort",
    "reasoning": r"reasoning[ _]effort",
    "reasoning_effort": r"reasoning effort|thinking|reasoning",
    "chat_template_kwargs": r"enable_thinking",
}
_PARTS: dict[str, str] = {"reasoning.summary": r"(?:reasoning )?summar(?:y|ies)", "thinking.display": r"display"}
"""Members that may go without the whole field."""

_REFUSED = re.compile(
    r"unsupported|not supported|n[o']t support|unrecognized|unexpected (?:field|parameter|argument|keyword|property)"
    r"|unknown (?:field|parameter|argument|name|property|key)|not (?:permitted|allowed)|extra_forbidden"
    r"|additional propert|deprecated for|input should be|must be verified",
    re.IGNORECASE,
)
"""Words that say it is the presence of a field, not its value or the request as a whole, that is refused."""

_STATUSES = frozenset({400, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A field that a model at an endpoint refused, and the name it wants instead; "" where it is left out."""

    base_url: str
    dialect: str
    model: str
    field: str
    """A member of the request, of an object in it (``reasoning.summary``), or of its messages and tools."""
    instead: str = ""

    def told(self, name: str) -> str:
        """The lesson in words, for the person; ``name`` is the provider's."""
        change = f"sent as {self.instead}" if self.instead else "left out"
        return f"{name}: {self.model} does not take {self.field}, which is {change} from now on."

    def applied(self, body: JsonObject) -> JsonObject:
        """The request without the field, or with its other name; the one given stays as it is."""
        whole, _, part = self.field.partition(".")
        if self.field in _WITHIN:
            return as_object(_stripped(body, self.field))
        if whole not in body:
            return body
        rest = {name: value for name, value in body.items() if name != whole}
        if part:
            kept: JsonObject = {name: value for name, value in as_object(body[whole]).items() if name != part}
            if kept:
                rest[whole] = kept
        elif self.instead:
            rest[self.instead] = body[whole]
        return rest


class Learnt:
    """The lessons of all endpoints. ``keep`` is told each new one, so that it may outlast this session."""

    def __init__(self, known: Iterable[Lesson] = (), keep: Callable[[Lesson], None] | None = None) -> None:
        self._lessons: dict[tuple[str, str, str], list[Lesson]] = {}
        self._keep = keep
        for lesson in known:
            self._add(lesson)

    def applied(self, endpoint: Endpoint, body: JsonObject) -> JsonObject:
        """The request as this endpoint takes it for its model."""
        for lesson in self._lessons.get(_key(endpoint, body), ()):
            body = lesson.applied(body)
        return body

    def learn(self, endpoint: Endpoint, body: JsonObject, status: int, reply: str) -> Lesson | None:
        """What a refused request teaches; None when it is not for one of its fields."""
        found = _refused_field(endpoint.dialect, body, status, reply)
        if found is None:
            return None
        field, instead = found
        base_url, dialect, model = _key(endpoint, body)
        lesson = Lesson(base_url=base_url, dialect=dialect, model=model, field=field, instead=instead)
        self._add(lesson)
        if self._keep is not None:
            self._keep(lesson)
        return lesson

    def _add(self, lesson: Lesson) -> None:
        lessons = self._lessons.setdefault((lesson.base_url, lesson.dialect, lesson.model), [])
        if lesson not in lessons:
            lessons.append(lesson)


def _key(endpoint: Endpoint, body: JsonObject) -> tuple[str, str, str]:
    return endpoint.base_url, endpoint.dialect, as_text(body.get("model"))


def _refused_field(dialect: str, body: JsonObject, status: int, reply: str) -> tuple[str, str] | None:
    """The field a refusal names, and the name to send it by instead, if there is one."""
    if status not in _STATUSES:
        return None
    named, words = _what_was_said(reply)
    if not _REFUSED.search(f"{words} {named}"):
        return None
    candidates = list(_fields(dialect, body))
    for text in (named, words):
        found = [(match.start(), name) for name, pattern in candidates if (match := pattern.search(text))]
        if found:
            # The smallest part first: "thinking.adaptive.display" is not about all thinking.
            _, name = min(found, key=lambda each: (each[1] not in _PARTS and each[1] not in _WITHIN, each[0]))
            return name, _other_name(name, words)
    return None


def _fields(dialect: str, body: JsonObject) -> Iterator[tuple[str, re.Pattern[str]]]:
    """The fields of a request that may go, parts before wholes, each with what a message calls it."""
    for name, words in _PARTS.items():
        whole, _, part = name.partition(".")
        if part in as_object(body.get(whole)):
            yield name, _called(re.escape(name), words)
    for name in _WITHIN:
        if _occurs(body, name):
            yield name, _called(name)
    kept = _ESSENTIAL | _NEEDED_BY.get(dialect, frozenset())
    for name in body:
        if name in kept or (name == "tool_choice" and body[name] == "none"):
            continue
        head, *tail = name.split("_")
        also = _ALSO_CALLED.get(name, "")
        yield name, _called(re.escape(name), head + "".join(word.title() for word in tail), also)


def _called(*names: str) -> re.Pattern[str]:
    """Any of the names as a word of its own; ``tools.0.name`` and ``messages[2]`` are about something else."""
    words = "|".join(name for name in names if name)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w|[.\[]\s*\d)", re.IGNORECASE)


def _what_was_said(reply: str) -> tuple[str, str]:
    """The field an error object names outright, and its words."""
    try:
        document = parse_json(reply)
    except ValueError:
        return "", reply
    said = read_error(document)
    error = as_object(as_object(document).get("error"))
    details = as_list(as_object(document).get("detail"))
    place = as_list(as_object(details[0]).get("loc")) if details else []
    named = as_text(error.get("param")) or ".".join(str(step) for step in place if step != "body")
    return named, reply if said is None else said.words


def _other_name(field: str, words: str) -> str:
    """The name the server asks for; only an output limit has several."""
    others = (name for name in _OUTPUT_LIMITS if name != field and re.search(rf"\b{name}\b", words))
    return next(others, "") if field in _OUTPUT_LIMITS else ""


def _occurs(value: JsonValue, name: str) -> bool:
    match value:
        case dict():
            return name in value or any(_occurs(inner, name) for key, inner in value.items() if _ours(key, inner))
        case list():
            return any(_occurs(each, name) for each in value)
        case _:
            return False


def _stripped(value: JsonValue, name: str) -> JsonValue:
    """The value without the member, at any depth that is ours."""
    match value:
        case dict():
            members = ((key, inner) for key, inner in value.items() if key != name)
            return {key: _stripped(inner, name) if _ours(key, inner) else inner for key, inner in members}
        case list():
            return [_stripped(each, name) for each in value]
        case _:
            return value


def _ours(key: str, value: JsonValue) -> bool:
    return not (key in _NOT_OURS and isinstance(value, dict))
