"""What went wrong, in every shape servers say it: kind, whether to try again, and a message with cause and fix."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.endpoint import Endpoint
from patchbay.providers.errors import (
    classify_inband,
    classify_reply,
    connection_failed,
    connection_lost,
    ended_early,
    not_understood,
    read_error,
    too_slow,
)
from patchbay.providers.events import ErrorKind, JsonValue
from patchbay.providers.redact import remember_secret

CLOUD = Endpoint(
    name="acme",
    dialect="openai_chat",
    base_url="https://api.acme.test/v1",
    key_variable="ACME_API_KEY",
    help_url="https://acme.test/keys",
)
LOCAL = Endpoint(name="llama.cpp", dialect="openai_chat", base_url="http://localhost:8080/v1", local=True)


def openai(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(message: str, kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


SHAPES: list[tuple[int, Any, ErrorKind, bool, str]] = [
    # Keys and permissions.
    (401, openai("Wrong key.", code="invalid_api_key"), ErrorKind.AUTHENTICATION, False, "Wrong key"),
    (401, anthropic("invalid x-api-key", "authentication_error"), ErrorKind.AUTHENTICATION, False, "invalid x-api-key"),
    (401, {"detail": "Unauthorized"}, ErrorKind.AUTHENTICATION, False, "Unauthorized"),
    (
        401,
        openai("bad key", "authentication_error", "invalid_request_error"),
        ErrorKind.AUTHENTICATION,
        False,
        "bad key",
    ),
    (400, {"code": "x", "error": "Incorrect API key provided."}, ErrorKind.AUTHENTICATION, False, "Incorrect API key"),
    (403, openai("Not for you."), ErrorKind.PERMISSION, False, "Not for you"),
    # Limits.
    (429, openai("Slow down.", "requests", "rate_limit_exceeded"), ErrorKind.RATE_LIMIT, True, "Slow down"),
    (429, anthropic("Over the limit", "rate_limit_error"), ErrorKind.RATE_LIMIT, True, "Over the limit"),
    (
        429,
        {"error": {"code": 429, "message": "Upstream error", "metadata": {"raw": "busy, wait", "provider_name": "Up"}}},
        ErrorKind.RATE_LIMIT,
        True,
        "Upstream error: Up: busy, wait",
    ),
    (
        413,
        openai("Request too large for model m on tokens per minute (TPM)", "tokens", "rate_limit_exceeded"),
        ErrorKind.RATE_LIMIT,
        False,
        "Waiting does not help",
    ),
    (429, openai("Pay up", "insufficient_quota", "insufficient_quota"), ErrorKind.QUOTA, False, "Pay up"),
    (402, openai("Insufficient Balance", "unknown_error"), ErrorKind.QUOTA, False, "Insufficient Balance"),
    (
        400,
        anthropic("Your credit balance is too low", "invalid_request_error"),
        ErrorKind.QUOTA,
        False,
        "credit balance",
    ),
    # Requests.
    (400, openai("Unsupported value: temperature"), ErrorKind.INVALID_REQUEST, False, "Unsupported value"),
    (404, anthropic("model: nope", "not_found_error"), ErrorKind.NOT_FOUND, False, "model: nope"),
    (400, openai("No such model", code="model_not_found"), ErrorKind.NOT_FOUND, False, "No such model"),
    (404, {"error": "model 'x' not found"}, ErrorKind.NOT_FOUND, False, "model 'x' not found"),
    (
        400,
        {"object": "error", "message": "No logprobs", "type": "invalid", "code": "3051", "raw_status_code": 400},
        ErrorKind.INVALID_REQUEST,
        False,
        "No logprobs",
    ),
    (400, {"code": 400, "message": "bad field", "type": "x"}, ErrorKind.INVALID_REQUEST, False, "bad field"),
    (
        422,
        {"detail": [{"loc": ["body", "n"], "msg": "Field required", "type": "missing"}]},
        ErrorKind.INVALID_REQUEST,
        False,
        "Field required",
    ),
    (
        422,
        {"object": "error", "message": {"detail": [{"msg": "Input should be text"}]}},
        ErrorKind.INVALID_REQUEST,
        False,
        "Input should be text",
    ),
    (400, [{"error": {"code": 400, "message": "in a list"}}], ErrorKind.INVALID_REQUEST, False, "in a list"),
    (400, {"success": False, "errors": [{"message": "edge"}]}, ErrorKind.INVALID_REQUEST, False, "edge"),
    (413, {"error": {"type": "request_too_large", "message": "Too many bytes"}}, ErrorKind.INVALID_REQUEST, False, ""),
    (409, openai("Conflict"), ErrorKind.INVALID_REQUEST, True, "Conflict"),
    # Servers.
    (500, anthropic("Internal server error", "api_error"), ErrorKind.SERVER_ERROR, True, "Internal server error"),
    (500, anthropic("Overloaded", "api_error"), ErrorKind.OVERLOADED, True, "Overloaded"),
    (529, anthropic("Overloaded", "overloaded_error"), ErrorKind.OVERLOADED, True, "Overloaded"),
    (503, {"error": {"code": 503, "message": "Loading model"}}, ErrorKind.OVERLOADED, True, "Loading model"),
    (500, openai("tools param requires --jinja flag", "server_error"), ErrorKind.INVALID_REQUEST, False, "--jinja"),
    (500, openai("image input is not supported", "server_error"), ErrorKind.INVALID_REQUEST, False, "image input"),
    (502, "<html><head><title>502 Bad Gateway</title></head></html>", ErrorKind.SERVER_ERROR, True, "502 Bad Gateway"),
    (504, "", ErrorKind.TIMEOUT, True, "Gateway Timeout"),
    (408, "slow", ErrorKind.TIMEOUT, True, "slow"),
    (501, "no", ErrorKind.SERVER_ERROR, False, "no"),
    (404, "404 page not found", ErrorKind.NOT_FOUND, False, "404 page not found"),
    (599, "", ErrorKind.SERVER_ERROR, True, "no message"),
    (301, "", ErrorKind.PROTOCOL, False, "redirects to https://elsewhere.test/"),
]


@pytest.mark.parametrize(("status", "body", "kind", "retryable", "said"), SHAPES)
def test_every_shape(status: int, body: Any, kind: ErrorKind, retryable: bool, said: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    error = classify_reply(CLOUD, status, text, {"location": "https://elsewhere.test/"})
    assert (error.kind, error.retryable, error.status) == (kind, retryable, status), error
    assert said in error.message
    assert "acme" in error.message


OVERFLOWS = [
    (400, "prompt is too long: 210000 tokens > 200000 maximum", ""),
    (400, "Your input exceeds the context window of this model.", "context_length_exceeded"),
    (400, "whatever", "context_length_exceeded"),
    (400, "This endpoint's maximum context length is 8192 tokens.", ""),
    (400, "request (2009 tokens) exceeds the available context size (512 tokens)", "exceed_context_size_error"),
    (500, "request exceeds the available context size, try increasing it", "server_error"),
    (400, "Please reduce the length of the messages or completion.", ""),
    (400, "This model's maximum prompt length is 131072", ""),
    (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length", ""),
    (400, "Trying to keep the first 9000 tokens when context overflows", ""),
    (400, "The number of tokens is greater than the context length", ""),
    (413, "Max size: 8000 tokens.", "tokens_limit_reached"),
    (400, "prompt too long; exceeded max context length by 4 tokens", ""),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed", ""),
]


@pytest.mark.parametrize(("status", "message", "code"), OVERFLOWS)
def test_every_overflow_text(status: int, message: str, code: str) -> None:
    error = classify_reply(CLOUD, status, json.dumps(openai(message, code=code)), {})
    assert (error.kind, error.retryable) == (ErrorKind.CONTEXT_OVERFLOW, False)
    assert "larger window" in error.message and message.rstrip(".") in error.message


def test_refused_key_names_provider_variable_and_where_to_get_one() -> None:
    message = classify_reply(CLOUD, 401, json.dumps(openai("Wrong key.")), {}).message
    for part in ("acme (401)", "Wrong key", "Set ACME_API_KEY", "https://acme.test/keys"):
        assert part in message
    unnamed = classify_reply(LOCAL, 401, json.dumps(openai("Key wanted")), {}).message
    assert "Configure a key for the provider 'llama.cpp'" in unnamed


def test_keys_are_never_repeated() -> None:
    remember_secret("very-private-value")
    error = classify_reply(CLOUD, 401, json.dumps(openai("Wrong key: very-private-value")), {})
    assert "very-private-value" not in error.message and "[redacted]" in error.message


@pytest.mark.parametrize(("status", "expected"), [(429, 7.0), (503, 7.0), (400, None), (401, None)])
def test_the_wait_counts_only_where_waiting_helps(status: int, expected: float | None) -> None:
    assert classify_reply(CLOUD, status, "{}", {"retry-after": "7"}).retry_after == expected


def test_a_server_may_forbid_another_try() -> None:
    assert not classify_reply(CLOUD, 500, "{}", {"x-should-retry": "false"}).retryable


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, ErrorKind.OVERLOADED, True),
        ({"type": "api_error", "message": "Oops"}, ErrorKind.SERVER_ERROR, True),
        ({"type": "invalid_request_error", "message": "Bad"}, ErrorKind.INVALID_REQUEST, False),
        ({"code": "tool_use_failed", "type": "x", "message": "Bad call"}, ErrorKind.INVALID_REQUEST, False),
        ({"code": 429, "message": "Wait"}, ErrorKind.RATE_LIMIT, True),
        ({"code": 502, "message": "Upstream"}, ErrorKind.SERVER_ERROR, True),
        ({"code": "server_error", "message": "Gone"}, ErrorKind.SERVER_ERROR, True),
        ({"message": "no idea"}, ErrorKind.SERVER_ERROR, True),
        ("out of memory", ErrorKind.SERVER_ERROR, True),
        ({"weird": 1}, ErrorKind.SERVER_ERROR, True),
    ],
)
def test_errors_inside_a_successful_stream(error: JsonValue, kind: ErrorKind, retryable: bool) -> None:
    said = read_error({"error": error})
    assert said is not None
    found = classify_inband(CLOUD, said)
    assert (found.kind, found.retryable) == (kind, retryable)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"error": None}, {"error": {}}, {"error": ""}, {"errors": []}])
def test_no_error(value: JsonValue) -> None:
    assert read_error(value) is None


def test_connection_errors_name_the_address_and_what_to_do() -> None:
    local = connection_failed(LOCAL, OSError("refused"))
    assert (local.kind, local.retryable) == (ErrorKind.NETWORK, True)
    for part in ("llama.cpp", "localhost:8080", "refused", "Is the server running"):
        assert part in local.message
    assert "api.acme.test:443" in connection_failed(CLOUD, OSError()).message
    assert "broke off" in connection_lost(CLOUD, OSError("reset")).message


def test_password_in_an_address_is_not_shown() -> None:
    for url in ("http://me:private@host:9/v1", "http://me:private@host:x/v1"):
        endpoint = Endpoint(name="n", dialect="openai_chat", base_url=url)
        assert "private" not in connection_failed(endpoint, OSError("no")).message


def test_timeouts_name_the_setting() -> None:
    first, later = too_slow(CLOUD, 120, first=True), too_slow(CLOUD, 60, first=False)
    assert "120 s" in first.message and "first_token_timeout_s" in first.message
    assert "60 s" in later.message and "between_tokens_timeout_s" in later.message
    assert first.kind is ErrorKind.TIMEOUT and first.retryable


def test_excerpts_are_short_and_without_markup() -> None:
    page = "<html><style>p{}</style><body>" + "<p>Not   here</p>" * 500
    message = not_understood(CLOUD, page).message
    assert "Not here Not here" in message and "<" not in message and len(message) < 600
    assert "Check the base URL https://api.acme.test/v1" in message
    assert "'oops'" in ended_early(CLOUD, "oops").message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 600) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "message", "detail", "code", "type", "metadata", "raw", "msg"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON | st.text(max_size=20), st.integers(300, 600), st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_never_raises(body: Any, status: int, headers: dict[str, str]) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    error = classify_reply(CLOUD, status, text, headers)
    assert error.status == status and error.message.startswith("acme")
