import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.state import SessionState, Totals
from patchbay.app.tui.widgets.switcher_meaning import consequence
from patchbay.app.tui.widgets.switcher_rows import all_rows, filtered, fuzzy_score
from patchbay.providers.base import FREE, Online
from support.session_states import model, provider

CLOUD = provider("anthropic", model(name="claude-sonnet-4-6"), model(name="claude-haiku-4-5"), online=Online.UNKNOWN)
ROUTER = provider("openrouter", model("openrouter", "anthropic/claude-sonnet-4.6"), model("openrouter", "qwen/qwen3"))
LOCAL = provider(
    "ollama", model("ollama", "qwen3-coder:30b", window=32_768, price=FREE), online=Online.OFFLINE, problem="start it"
)
BROKEN = provider("openai", model("openai", "gpt"), online=Online.DISABLED, problem="OPENAI_API_KEY is not set")
EMPTY = provider("lmstudio")
ALL = (BROKEN, LOCAL, CLOUD, ROUTER, EMPTY)


def names(query: str) -> list[str]:
    return [row.search for row in filtered(all_rows(ALL), query)]


def row(search: str):
    return next(row for row in all_rows(ALL) if row.search == search)


def meaning(state: SessionState, search: str) -> str:
    return " · ".join(remark.text for remark in consequence(state, row(search)))


def test_usable_providers_come_first_in_the_order_given():
    assert names("") == [
        "anthropic claude-sonnet-4-6",
        "anthropic claude-haiku-4-5",
        "openrouter anthropic/claude-sonnet-4.6",
        "openrouter qwen/qwen3",
        "lmstudio",
        "ollama qwen3-coder:30b",
        "openai gpt",
    ]


def test_words_match_in_any_order_and_letters_may_be_left_out():
    assert names("sonnet router") == ["openrouter anthropic/claude-sonnet-4.6"]
    assert names("qcod") == ["ollama qwen3-coder:30b"]
    assert names("zzz") == []


def test_the_better_match_is_first():
    assert names("anthropic")[0] == "anthropic claude-sonnet-4-6"
    assert names("qwen3")[:2] == ["openrouter qwen/qwen3", "ollama qwen3-coder:30b"]


def test_the_beginning_of_a_name_beats_its_middle():
    rows = all_rows([provider("x", model(name="persona"), model(name="big-sonata"))])
    assert [each.name for each in filtered(rows, "son")] == ["big-sonata", "persona"]


def test_a_whole_word_beats_scattered_letters():
    whole, begun, scattered = (fuzzy_score(text, "son") for text in ("x son", "x sonnet", "sxoxn"))
    assert whole is not None
    assert begun is not None
    assert scattered is not None
    assert whole > begun > scattered


@given(st.text("abc -/", max_size=12), st.text("abc", min_size=1, max_size=4))
def test_a_score_exists_exactly_for_subsequences(text: str, word: str):
    letters = iter(text)
    assert (fuzzy_score(text, word) is not None) is all(letter in letters for letter in word)


def test_what_cannot_be_chosen_has_no_reference():
    assert row("openai gpt").ref is None
    assert row("lmstudio").ref is None
    assert str(row("ollama qwen3-coder:30b").ref) == "ollama/qwen3-coder:30b"


def test_abilities_name_what_is_known_and_a_lack_of_tools():
    rows = all_rows(
        [provider("p", model(name="a", tools=True, vision=True), model(name="b", tools=False), model(name="c"))]
    )
    assert [each.abilities() for each in rows] == ["tools vision", "no tools", ""]


USED = SessionState(model=CLOUD.models[0], context_tokens=74_000, totals=Totals(cache_read_tokens=5))


@pytest.mark.parametrize(
    ("state", "search", "text"),
    [
        (USED, "anthropic claude-sonnet-4-6", "This model answers now."),
        (
            USED,
            "anthropic claude-haiku-4-5",
            "fits (37 % of its window)",
        ),
        (USED, "ollama qwen3-coder:30b", "start it"),
        (USED, "openai gpt", "OPENAI_API_KEY is not set"),
        (USED, "lmstudio", "It lists no models."),
        (SessionState(), "openrouter qwen/qwen3", "from the next prompt on"),
    ],
)  # fmt: skip
def test_the_line_below_says_what_the_switch_means(state: SessionState, search: str, text: str):
    assert meaning(state, search) == text


def test_a_history_that_does_not_fit_is_said():
    small = provider("local", model("local", "tiny", window=8192, price=FREE, tools=False))
    remarks = consequence(USED, all_rows([small])[0])
    assert [remark.text for remark in remarks] == [
        "does not fit: ~74.0k in use, window 8 k. Shorten the session first",
        "free",
    ]
    assert remarks[0].role == "danger"


def test_an_unknown_price_is_no_price():
    unknown = provider("x", model("x", "y", price=None))
    assert consequence(USED, all_rows([unknown])[0])[1].text == "price unknown"


def test_no_match_says_how_to_get_one():
    assert consequence(USED, None)[0].text.startswith("No model matches")


def test_a_provider_that_keeps_failing_says_until_when_it_rests():
    at = 1_700_000_000.0
    failing = replace(provider("groq", model("groq", "llama")), paused_until=at)
    (only,) = all_rows([failing])
    assert only.standing() == "keeps failing"
    assert only.ref is not None, "it can be chosen: then it is the person's decision"
    (remark,) = consequence(SessionState(), only)
    assert (
        remark.text == f"groq kept failing: it is tried again from {time.strftime('%H:%M:%S', time.localtime(at))} on."
    )
    assert remark.role == "warn"


def test_a_server_that_went_away_says_since_when() -> None:
    (only,) = all_rows([replace(LOCAL, last_seen=time.time() - 2 * 3600 - 5)])
    said = [remark.text for remark in consequence(USED, only)]
    assert said == ["offline, last seen 2 h ago", "start it"]
