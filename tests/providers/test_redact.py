"""Keys never survive redaction, ordinary text always does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.redact import PLACEHOLDER, RedactingStream, redact, redact_registered, remember_secret


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key sk-ant-api03-Zz9yX8wV7u-T6s5R4 end", "sk-ant-api03-Zz9yX8wV7u-T6s5R4"),
        ("sk-proj-a1b2c3d4e5f6g7h8", "sk-proj-a1b2c3d4e5f6g7h8"),
        ("using gsk_A1b2C3d4E5f6G7h8I9", "gsk_A1b2C3d4E5f6G7h8I9"),
        ("xai-0123456789abcdefghij", "xai-0123456789abcdefghij"),
        ("token ghp_abcdefghijklmnopqrst123456", "ghp_abcdefghijklmnopqrst123456"),
        ("github_pat_11AAAAAAAAAAAAAAAAAAAA_x", "github_pat_11AAAAAAAAAAAAAAAAAAAA_x"),
        ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrs", "AIzaSyA-1234567890abcdefghijklmnopqrs"),
        ("Authorization: Bearer opaque", "opaque"),
        ("authorization=Basic QWxhZGRpbg==", "QWxhZGRpbg=="),
        ("{'Authorization': 'Bearer opaque-value'}", "opaque-value"),
        ("(b'authorization', b'Bearer opaque-value')", "opaque-value"),
        ("curl -H 'x-api-key: opaque' http://h", "opaque"),
        ('{"X-API-Key": "opaque"}', "opaque"),
        ("sent bearer abcdefghijkl9 to it", "abcdefghijkl9"),
        ("export OPENAI_API_KEY=opaqueopaque", "opaqueopaque"),
        ("AWS_SECRET_ACCESS_KEY='wJalrXUtnFEMI/K7MDENG'", "wJalrXUtnFEMI/K7MDENG"),
        ("https://me:hunter22@example.org/v1", "hunter22"),
        ("GET /v1beta/models?key=opaque&alt=sse", "opaque"),
        ("jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc-_1", "eyJzdWIiOiIxMjM0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEcut", "MIIEcut"),
    ],
)
def test_what_looks_like_a_key_goes(text: str, secret: str) -> None:
    cleaned = redact(text)
    assert secret not in cleaned
    assert PLACEHOLDER in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of bad news has arrived here",
        "scikit: sk-learn-compatible-estimators-everywhere",
        "key-value-pairs-in-the-dictionary",
        'os.environ["OPENAI_API_KEY"]',
        "export OPENAI_API_KEY=$OTHER_VARIABLE",
        "Authorization: Bearer $OPENAI_API_KEY",
        "Authorization: Bearer <your key>",
        "max_tokens=4096, token counts: 17",
        "see https://example.org:8080/v1 and a@b.org",
        "def api_key(self) -> str: ...",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_what_names_the_key_stays_readable() -> None:
    assert redact("x-api-key: opaque, next") == "x-api-key: [redacted], next"


def test_a_registered_key_goes_whatever_it_looks_like() -> None:
    remember_secret("correct horse (battery) staple.*")
    assert redact("said: correct horse (battery) staple.*!") == "said: [redacted]!"


def test_a_key_that_begins_with_another_leaves_no_tail() -> None:
    remember_secret("plainsecret")
    remember_secret("plainsecret-and-more")
    assert redact("plainsecret-and-more") == PLACEHOLDER


def test_dummies_and_short_values_do_not_garble_text() -> None:
    for value in ("ollama", " LM-Studio ", "abc", ""):
        remember_secret(value)
    assert redact("ollama abc on LM-Studio") == "ollama abc on LM-Studio"


@given(before=st.text(), after=st.text(), key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6))
def test_no_surrounding_text_hides_a_registered_key(before: str, after: str, key: str) -> None:
    if key.lower() in {"ollama"}:
        return
    remember_secret(key)
    assert key not in redact(before + key + after).replace(PLACEHOLDER, "") or key in PLACEHOLDER


@given(
    st.lists(st.sampled_from(["stream-key-", "4711", "stream-", "key", "-", "s", " and ", "-long", "stream-key-4711"]))
)
def test_a_key_that_comes_in_pieces_goes_as_one_that_comes_whole(chunks: list[str]) -> None:
    for key in ("stream-key-4711", "stream-key-4711-long", "4711stream-"):
        remember_secret(key)
    stream = RedactingStream()
    shown = [stream.feed(chunk) for chunk in chunks]
    assert "".join([*shown, stream.flush()]) == redact_registered("".join(chunks))
    assert "stream-key-4711" not in "".join(shown)


def test_ordinary_text_is_not_held_back() -> None:
    remember_secret("stream-key-4711")
    assert RedactingStream().feed("plain text") == "plain text"
    assert RedactingStream().feed("text, str") == "text, "
