"""What is tried again and when, and which model goes on: the policy by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import ModelInfo, ModelRef, ProviderConfigError
from patchbay.providers.errors import classify_reply
from patchbay.providers.events import ErrorKind, ResponseError
from patchbay.providers.resilience import Resilience, RetryPolicy
from support.wire import endpoint

ALWAYS_LONGEST = RetryPolicy(chance=lambda: 1.0)


def error(kind: ErrorKind = ErrorKind.NETWORK, **changes: object) -> ResponseError:
    return ResponseError(**({"kind": kind, "message": "it broke", "retryable": True} | changes))  # type: ignore[arg-type]


def refused(status: int, body: str = "", **headers: str) -> ResponseError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_reply(endpoint(), status, body, named)


def test_the_bound_doubles_up_to_its_cap_and_attempts_end() -> None:
    policy = RetryPolicy(chance=lambda: 1.0, attempts=10)
    waits = [policy.wait_s(error(), attempt) for attempt in range(1, 11)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, None]
    assert [ALWAYS_LONGEST.wait_s(error(), attempt) is None for attempt in (1, 4, 5)] == [False, False, True]


@given(st.floats(0, 1), st.integers(1, 4))
def test_jitter_takes_any_share_of_the_bound(share: float, attempt: int) -> None:
    wait = RetryPolicy(chance=lambda: share).wait_s(error(), attempt)
    assert wait == share * (0.5 * 2 ** (attempt - 1))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert ALWAYS_LONGEST.wait_s(refused(status), 1) == 0.5


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, ""),
        (401, ""),
        (402, ""),
        (403, ""),
        (404, ""),
        (422, ""),
        (501, ""),
        (307, ""),
        (429, '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'),
        (500, '{"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}'),
    ],
)
def test_what_stays_wrong_is_never_tried_again(status: int, body: str) -> None:
    assert ALWAYS_LONGEST.wait_s(refused(status, body), 1) is None


def test_a_wait_the_server_asks_for_is_kept_and_a_longer_back_off_too() -> None:
    assert ALWAYS_LONGEST.wait_s(refused(429, retry_after="7"), 1) == 7
    assert ALWAYS_LONGEST.wait_s(refused(429, retry_after="7"), 4) == 7
    assert ALWAYS_LONGEST.wait_s(refused(429, retry_after="1"), 4) == 4
    reset = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "12s"}
    assert ALWAYS_LONGEST.wait_s(refused(429, **reset), 1) == 12


def test_a_wait_that_is_too_long_is_not_sat_out() -> None:
    assert ALWAYS_LONGEST.wait_s(refused(429, retry_after="60"), 1) == 60
    assert ALWAYS_LONGEST.wait_s(refused(429, retry_after="61"), 1) is None


def test_a_server_that_says_nothing_is_asked_only_twice() -> None:
    silent = error(ErrorKind.TIMEOUT)
    assert ALWAYS_LONGEST.wait_s(silent, 1) is not None
    assert ALWAYS_LONGEST.wait_s(silent, 2) is None
    assert ALWAYS_LONGEST.wait_s(refused(408), 2) is not None


class Models:
    """A directory of what is asked for: some names unknown, some failing."""

    def __init__(self, *, unknown: str = "", failing: str = "") -> None:
        self._unknown, self._failing = unknown, failing

    def dialect(self, ref: ModelRef) -> str:
        if ref.provider == self._unknown:
            raise ProviderConfigError("unknown")
        return "openai_chat"

    def info(self, ref: ModelRef) -> ModelInfo:
        return ModelInfo(ref=ref)

    def failing(self, name: str) -> bool:
        return name == self._failing


async def no_wait(_seconds: float) -> None:
    return


CHAIN = tuple(map(ModelRef.parse, ("a/1", "b/2", "c/3")))


def following(problem: ResponseError, *tried: str, **models: str) -> str | None:
    resilience = Resilience(Models(**models), no_wait, chain=CHAIN)
    found = resilience.fallback(problem, [ModelRef.parse(each) for each in tried])
    return None if found is None else str(found[0].ref)


def test_the_chain_goes_on_with_the_first_that_can_be_used() -> None:
    assert following(error(), "x/y") == "a/1"
    assert following(error(), "x/y", "a/1") == "b/2"
    assert following(error(), "x/y", "a/1", unknown="b") == "c/3"
    assert following(error(), "x/y", failing="a") == "b/2"
    assert following(error(), "a/1", "b/2", "c/3") is None


@pytest.mark.parametrize(
    "kind", [ErrorKind.NETWORK, ErrorKind.TIMEOUT, ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR, ErrorKind.RATE_LIMIT]
)
def test_every_outage_fails_over(kind: ErrorKind) -> None:
    assert following(error(kind, retryable=False)) == "a/1"


@pytest.mark.parametrize(
    "kind",
    [
        ErrorKind.AUTHENTICATION,
        ErrorKind.PERMISSION,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.NOT_FOUND,
        ErrorKind.QUOTA,
        ErrorKind.CONTEXT_OVERFLOW,
        ErrorKind.PROTOCOL,
    ],
)
def test_what_is_wrong_with_key_or_request_is_not_routed_around(kind: ErrorKind) -> None:
    assert following(error(kind, retryable=False)) is None
