"""What went wrong, from whatever a server or the network made of it -> ``events.ResponseError``.

Servers have a dozen shapes for an error and use statuses loosely (a wrong key can be a 400, a full context a 500),
so kind is decided from the texts and codes first and from the status last. A message names the cause, in the
server's own words, and the fix.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from .endpoint import Endpoint
from .error_words import TYPES, kind_of_words
from .events import ErrorKind, JsonObject, JsonValue, ResponseError
from .json_values import as_index, as_object, as_text, mend_text, parse_json, to_json
from .redact import redact
from .retry_after import seconds_to_wait

EXCERPT_CHARACTERS = 300
MESSAGE_CHARACTERS = 4000

_RETRYABLE = frozenset(
    {ErrorKind.RATE_LIMIT, ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR, ErrorKind.NETWORK, ErrorKind.TIMEOUT}
)

_STATUSES: dict[int, ErrorKind] = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.QUOTA,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    429: ErrorKind.RATE_LIMIT,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}
_SAYING = ("message", "detail", "Message", "msg", "error_message")
"""Where error objects have their words."""
_CODES = ("type", "code", "error_code", "error_type", "__type", "reason")
"""Where they say what kind of error they are."""
_NEVER_RETRIED = frozenset({501, 505})
_CONFLICT = 409
"""An invalid request to look at, and yet worth another try."""

_TOO_LARGE_AT_ALL = re.compile(r"request too large for", re.IGNORECASE)
"""One request over the tokens-a-minute limit: waiting does not help."""
_TOO_LARGE_ADVICE = "{name}: {said}. Waiting does not help: shorten the conversation, or switch model."

_ADVICE: dict[ErrorKind, str] = {
    ErrorKind.AUTHENTICATION: "{name} refused the key: {said}. {key_fix}",
    ErrorKind.PERMISSION: "{name} does not permit this: {said}. Use a key that may use this model. {key_fix}",
    ErrorKind.QUOTA: "{name}: no credit or quota left: {said}. Top up the account or switch to another provider.",
    ErrorKind.CONTEXT_OVERFLOW: "{name}: the conversation does not fit the model's context window: {said}. "
    "Shorten it, or switch to a model with a larger window.",
    ErrorKind.NOT_FOUND: "{name}: {said}. Check the model's name and that the base URL {url} is right.",
    ErrorKind.RATE_LIMIT: "{name} limits the rate of requests: {said}. Wait, or switch to another provider.",
    ErrorKind.OVERLOADED: "{name} is overloaded or not ready: {said}. Try again, or switch to another provider.",
    ErrorKind.PROTOCOL: "{name}: {said}. Check that the base URL {url} is right.",
}
"""What a message of each kind says; the fix comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSaid:
    """An error in a server's own words."""

    message: str
    code: str = ""
    status: int | None = None
    """The HTTP status the error object itself names."""

    @property
    def words(self) -> str:
        """Everything that may tell what kind of error it is."""
        return f"{self.code} {self.message}"


class ResponseFailure(Exception):
    """Carries a ``ResponseError`` from where it is found to the end of the stream it becomes."""

    def __init__(self, error: ResponseError) -> None:
        super().__init__(error.message)
        self.error = error


def read_error(value: JsonValue) -> ServerSaid | None:
    """The error in a JSON reply, in any of the shapes servers use; None when there is none."""
    if isinstance(value, list):
        value = value[0] if value else None
    match value:
        case {"error": dict(inner)} if inner:
            return _from_object(inner)
        case {"error": str(message)} if message:
            return ServerSaid(message=message, code=_code(value), status=_status(value))
        case {"errors": [dict(first), *_]}:
            return _from_object(first)
        case {"error": [*_] as several} | {"errors": [*_] as several} if several:
            return ServerSaid(message=_words(several), code=_code(value), status=_status(value))
        case {"detail": dict(inner)} if "error" in inner:
            return read_error(inner)
        case {"base_resp": {"status_code": int(code), "status_msg": str(message)}} if code:  # MiniMax
            return ServerSaid(message=message, code=str(code))
        case {"detail": _} | {"message": _} | {"Message": _} | {"msg": _} | {"error_message": _}:
            return _from_object(value)
        case _:
            return None


_ERROR_WORD = re.compile(r"(?:error|[eE]xception)$", re.MULTILINE)


def read_stray_error(value: JsonObject, name: str) -> ServerSaid | None:
    """The error in an event that says it is one by its name or kind, in whatever shape; None when it does not."""
    # Asked of every event of every stream: one look at the three ends together.
    if not _ERROR_WORD.search(f"{name}\n{as_text(value.get('type'))}\n{as_text(value.get('object'))}"):
        return None
    return read_error(value) or ServerSaid(message=to_json(value))


def _from_object(error: JsonObject) -> ServerSaid:
    message = next((words for name in _SAYING if (words := _words(error.get(name)))), "") or to_json(error)
    metadata = as_object(error.get("metadata"))
    cause = _upstream_cause(metadata.get("raw"))
    if cause and cause not in message:
        provider = as_text(metadata.get("provider_name"))
        message = f"{message}: {provider + ': ' if provider else ''}{cause}"
    return ServerSaid(message=message, code=_code(error), status=_status(error))


def _words(value: JsonValue) -> str:
    """A message that may be text, or validation errors as a list or object."""
    match value:
        case str():
            return value
        case None:
            return ""
        case {"msg": str(text)}:
            return text
        case {"message": str(text)}:
            return text
        case [first, *_]:
            return _words(first)
        case _:
            return to_json(value)


def _upstream_cause(raw: JsonValue) -> str:
    """What the provider behind a router said: an error document as text, or plain text."""
    if not isinstance(raw, str):
        raw = to_json(raw) if raw else ""
    try:
        nested = read_error(parse_json(raw))
    except ValueError:
        nested = None
    return nested.message if nested else _excerpt(raw)


def _code(error: JsonObject) -> str:
    return " ".join(str(error[name]) for name in _CODES if isinstance(error.get(name), str | int))


def _status(error: JsonObject) -> int | None:
    for name in ("status_code", "raw_status_code", "code", "status", "StatusCode"):
        number = as_index(error.get(name))
        if number is not None and 400 <= number < 600:
            return number
    return None


def classify_reply(endpoint: Endpoint, status: int, body: str, headers: Mapping[str, str]) -> ResponseError:
    """The error of an HTTP reply that is no success, whatever its body holds."""
    try:
        said = read_error(parse_json(body))
    except ValueError:
        said = None
    if said is None:
        said = ServerSaid(message=_excerpt(body) or _phrase(status))
    if 300 <= status < 400:
        where = headers.get("location", "elsewhere")
        said = replace(said, message=f"the server redirects to {where}; redirects are not followed with a key")
    error = _error(endpoint, said, status)
    if status == 429 or status >= 500:
        error = replace(error, retry_after=seconds_to_wait(headers, said.message))
    if headers.get("x-should-retry") == "false":
        error = replace(error, retryable=False)
    return error


def classify_inband(endpoint: Endpoint, said: ServerSaid) -> ResponseError:
    """The error of an error object inside an answer whose HTTP status said success."""
    return _error(endpoint, said, said.status)


def _error(endpoint: Endpoint, said: ServerSaid, status: int | None) -> ResponseError:
    kind = _kind(said, status)
    retryable = kind in _RETRYABLE or status == _CONFLICT
    if status in _NEVER_RETRIED or _TOO_LARGE_AT_ALL.search(said.message):
        retryable = False
    return ResponseError(
        kind=kind, message=_clean(_explain(endpoint, kind, status, said.message)), status=status, retryable=retryable
    )


def _kind(said: ServerSaid, status: int | None) -> ErrorKind:
    decided = _STATUSES.get(status or 0)
    if decided is ErrorKind.AUTHENTICATION or decided is ErrorKind.QUOTA:
        return decided
    spoken = kind_of_words(said.words)
    if spoken is not None:
        return spoken
    if decided is not None:
        return decided
    if status is None:
        known = (TYPES[word] for word in said.code.split() if word in TYPES)
        return next(known, ErrorKind.SERVER_ERROR)
    if status < 400:
        return ErrorKind.PROTOCOL
    return ErrorKind.SERVER_ERROR if status >= 500 else ErrorKind.INVALID_REQUEST


def _explain(endpoint: Endpoint, kind: ErrorKind, status: int | None, said: str) -> str:
    """One message: whose error, what the server said, and what to do."""
    name = f"{endpoint.name} ({status})" if status else endpoint.name
    template = _TOO_LARGE_ADVICE if _TOO_LARGE_AT_ALL.search(said) else _ADVICE.get(kind, "{name}: {said}.")
    fields = {"name": name, "said": said.strip().rstrip("."), "url": endpoint.base_url, "key_fix": _key_fix(endpoint)}
    return template.format(**fields)


def _key_fix(endpoint: Endpoint) -> str:
    where = f" (keys: {endpoint.help_url})" if endpoint.help_url else ""
    if endpoint.key_variable:
        remedy = f"Set {endpoint.key_variable} to a valid key, or run `patchbay login {endpoint.name}`"
        return f"{remedy}{where}; it is read again at the next request."
    return f"Configure a key for the provider {endpoint.name!r}{where}."


def address(endpoint: Endpoint) -> str:
    """Host and port of an endpoint, as messages name it; without any name and password in its URL."""
    try:
        parts = urlsplit(endpoint.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return endpoint.base_url.rpartition("@")[2]
    return f"{parts.hostname}:{port}"


def connection_failed(endpoint: Endpoint, problem: Exception) -> ResponseError:
    """No connection could be made."""
    fix = "Is the server running, and is this its port?" if endpoint.local else "Check the network, proxy and base URL."
    reason = _excerpt(str(problem)) or type(problem).__name__
    return _failure(
        ErrorKind.NETWORK, f"{endpoint.name}: cannot connect to {address(endpoint)}: {reason}. {fix}", retryable=True
    )


def connection_lost(endpoint: Endpoint, problem: Exception) -> ResponseError:
    """The connection broke after the request was sent."""
    reason = _excerpt(str(problem)) or type(problem).__name__
    return _failure(
        ErrorKind.NETWORK,
        f"{endpoint.name}: the connection to {address(endpoint)} broke off: {reason}. "
        "What was received is kept; send the prompt again to go on.",
        retryable=True,
    )


def too_slow(endpoint: Endpoint, seconds: float, *, first: bool) -> ResponseError:
    """The idle watchdog ran out after so many seconds without an event."""
    limit, when = ("first_token_timeout_s", "") if first else ("between_tokens_timeout_s", " in mid-answer")
    return _failure(
        ErrorKind.TIMEOUT,
        f"{endpoint.name}: {address(endpoint)} sent nothing for {seconds:g} s{when}. "
        f"Try again, or raise {limit} for this provider.",
        retryable=True,
    )


def ended_early(endpoint: Endpoint, unreadable: str = "") -> ResponseError:
    """The body ended, but the answer had not."""
    hint = f" It last sent something unreadable: {_excerpt(unreadable)!r}." if unreadable else ""
    return _failure(
        ErrorKind.NETWORK,
        f"{endpoint.name}: the answer ended early, without its end mark.{hint} What was received is kept; "
        "its unfinished tool calls are not run. Send the prompt again to go on.",
        retryable=True,
    )


def empty_answer(endpoint: Endpoint) -> ResponseError:
    """A success status, and nothing in it."""
    return _failure(
        ErrorKind.PROTOCOL,
        f"{endpoint.name} sent an empty answer. Its log may say why; "
        "local servers do this when the conversation is longer than the context window the model is loaded with.",
    )


def not_understood(endpoint: Endpoint, body: str) -> ResponseError:
    """A success status with something that is no answer in this dialect: a web page, plain text, other JSON."""
    return _failure(
        ErrorKind.PROTOCOL,
        f"{endpoint.name} sent no {endpoint.dialect} answer, but: {_excerpt(body)!r}. "
        f"Check the base URL {endpoint.base_url} and the dialect of this provider.",
    )


def unusable(endpoint: Endpoint, reason: str) -> ResponseError:
    """The exchange cannot be carried on; ``reason`` says why and how to mend it."""
    return _failure(ErrorKind.PROTOCOL, f"{endpoint.name}: {reason}")


def unusable_key(endpoint: Endpoint) -> ResponseError:
    """The key cannot be an HTTP header. It is not quoted."""
    return _failure(
        ErrorKind.AUTHENTICATION,
        f"{endpoint.name}: the key holds characters no key has (a line break, a space, a quotation mark?). "
        f"{_key_fix(endpoint)}",
    )


def _failure(kind: ErrorKind, message: str, *, retryable: bool = False) -> ResponseError:
    return ResponseError(kind=kind, message=_clean(message), retryable=retryable)


def _clean(message: str) -> str:
    return redact(mend_text(message))[:MESSAGE_CHARACTERS]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no message"


def _excerpt(text: str) -> str:
    """The beginning of a text, without markup and surplus space."""
    plain = re.sub(r"<(?:script|style)\b.*?</|<[^>]{0,500}>", " ", text[: 20 * EXCERPT_CHARACTERS], flags=re.DOTALL)
    plain = " ".join(plain.split())
    return plain if len(plain) <= EXCERPT_CHARACTERS else plain[:EXCERPT_CHARACTERS] + "…"
