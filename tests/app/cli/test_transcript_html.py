from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.cli.transcript_html import to_html
from patchbay.app.cli.transcript_text import to_markdown
from patchbay.app.engine.events import Attachment, AttachmentKind, Cost, CostSource, NoticeLevel
from patchbay.app.engine.state import (
    AnswerEntry,
    NoticeEntry,
    PromptEntry,
    SessionState,
    StreamText,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolRun,
)
from patchbay.providers.base import ModelRef
from patchbay.providers.events import StopReason
from patchbay.tools.events import FileChanged, Outcome

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "time"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "pre", "code", "details", "summary", "b", "i", "em"),
    *("strong", "a", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "hr", "br"),
}
VOID = ("meta", "hr", "br", "img")
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.test/p.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[go](javascript:alert(1))",
    "[go](data:text/html,<script>alert(1)</script>)",
    "[go](JaVaScRiPt:alert(1)) [go](&#106;avascript:alert(1)) <javascript:alert(1)>",
    '<http://evil.test/"onmouseover=alert(1)>',
    "</pre></details></section></style><style>@import url(http://evil.test/)</style>",
    "\x1b]52;c;QQ==\x07\x1b[31mred\x1b[0m \u202egnp.exe \u2066x",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><base href=//evil.test>",
    "--><!--<svg/onload=alert(1)>",
    '"><a href="x" style="position:fixed">',
)
REF = ModelRef(provider="shop", model="fast")


class Page(HTMLParser):
    """Tags, attributes and what is balanced."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.open, self.texts = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open[-1] == tag, (tag, self.open)
            self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)


def state_with(said, *, error=None):
    """A session in which everything that can come from outside is the same text."""
    run = ToolRun(
        run_id="r1",
        request_id="q",
        part_index=2,
        name=said,
        title=said,
        output=StreamText(),
        started_at=0.0,
        outcome=Outcome.OK,
        content=said,
        summary=said,
        duration_s=0.2,
    )
    answer = AnswerEntry(
        request_id="q",
        turn_id="t",
        ref=ModelRef(provider=said or "p", model=said or "m"),
        dialect="d",
        started_at=0.0,
        ended_at=1.0,
        cost=Cost(amount=None, source=CostSource.UNKNOWN),
        error=error,
        parts=(
            ThinkingPart(index=0, text=StreamText().appended(said), started_at=0.0),
            TextPart(index=1, text=StreamText().appended(said)),
            ToolCallPart(index=2, call_id="c", name=said, run_id="r1", arguments_json=StreamText(), arguments={}),
            ToolCallPart(index=3, call_id="d", name=said, run_id="r2", arguments_json=StreamText()),
        ),
    )
    notice = NoticeEntry(message=said, level=NoticeLevel.WARNING, at=0.0)
    prompt = PromptEntry(prompt_id="p", text=said, at=0.0)
    return SessionState(session_id="s", folder=said, transcript=(prompt, answer, notice), runs=(run,))


def page_with(said):
    change = FileChanged(run_id="r1", path=said, before=f"one\n{said}\n", after=f"two\n{said}x\n")
    return to_html(state_with(said), said, {"r1": [change]})


def check(page):
    parsed = Page(page)
    assert parsed.open == []
    assert {tag for tag, _ in parsed.seen} <= ALLOWED
    assert [tag for tag, _ in parsed.seen].count("style") == 1
    for tag, attributes in parsed.seen:
        assert set(attributes) <= {
            "class",
            "href",
            "rel",
            "open",
            "lang",
            "charset",
            "name",
            "content",
            "http-equiv",
        } | ({"start"} if tag == "ol" else {"style"} if tag in ("td", "th") else set()), (tag, attributes)
        address = str(attributes.get("href", "https://"))
        assert address.lower().startswith(("https://", "http://", "mailto:"))
        assert attributes.get("style", "") in ("", "text-align:left", "text-align:right", "text-align:center")
    for forbidden in ("\x1b", "\u202e", "\u2066", "\x07"):
        assert forbidden not in page
    return parsed


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_that_was_written_runs_loads_or_steers(said):
    page = page_with(said)
    check(page)
    assert "default-src 'none'" in page


@given(st.text(alphabet=st.sampled_from("<>&\"'/=!-[]()`*_#|\\\n ax:;\u202e\x1b"), max_size=60))
def test_no_text_leaves_its_place(said):
    check(page_with(said))


def test_changes_are_coloured_and_runs_are_folded():
    page = page_with("plain words")
    assert '<span class="removed">-one</span>' in page
    assert '<span class="added">+two</span>' in page
    assert '<details class="run"><summary><span class="sign ok">✓</span>' in page
    assert "price unknown" in page
    assert "was not run" in page


@pytest.mark.parametrize(
    ("amount", "source", "words"),
    [
        ("0.25", CostSource.ESTIMATED, "· ~$0.25"),
        ("0.25", CostSource.COMPUTED, "· $0.25"),
        ("0", CostSource.COMPUTED, "· free"),
    ],
)
def test_what_an_answer_cost_is_no_more_certain_than_it_is(amount, source, words):
    state = state_with("x")
    answer = replace(state.transcript[1], cost=Cost(amount=Decimal(amount), source=source))
    assert words in to_html(replace(state, transcript=(answer,)), "t")


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (StopReason.CANCELLED, "cancelled"),
        (StopReason.MAX_TOKENS, "cut off: the answer reached its token limit"),
        (StopReason.END_TURN, ""),
        (None, ""),
    ],
)
def test_an_answer_that_is_not_whole_says_so_in_every_form(stop, words):
    state = state_with("x")
    state = replace(state, transcript=(replace(state.transcript[1], stop_reason=stop),))
    page, markdown = to_html(state, "t"), to_markdown(state, "t")
    assert ("notice warning" in page) == bool(words)
    if words:
        assert f'<p class="notice warning">{words}</p>' in page and f"*({words})*" in markdown
    else:
        assert "*(" not in markdown


def test_a_huge_change_is_named_and_not_shown():
    lines = "\n".join(f"line {number}" for number in range(4000))
    change = FileChanged(run_id="r1", path="big.txt", before=lines, after=lines + "\nend")
    page = to_html(state_with("x"), "t", {"r1": [change]})
    assert "big.txt" in page
    assert "line 77" not in page


@pytest.mark.parametrize(
    ("media_type", "data", "shown"),
    [
        ("image/png", "iVBORw0K", True),
        ("image/webp", "UklGRg==", True),
        ("image/svg+xml", "PHN2Zz4=", False),
        ("text/html", "iVBORw0K", False),
        ("image/png", 'x" onerror="alert(1)', False),
        ("image/png", "iVBORw0K\n", False),
        ("image/png", "", False),
    ],
)
def test_an_image_that_went_along_stands_within_the_page_and_nothing_else_does(media_type, data, shown):
    image = Attachment(kind=AttachmentKind.IMAGE, source='a" onload="x', media_type=media_type, data_base64=data)
    prompt = PromptEntry(prompt_id="p", text="look", at=0.0, attachments=(image,))
    page = to_html(SessionState(session_id="s", folder="/f", transcript=(prompt,)), "t")
    images = [attributes for tag, attributes in Page(page).seen if tag == "img"]
    expected = {"alt": 'a" onload="x', "src": f"data:{media_type};base64,{data}"}
    assert images == ([expected] if shown else [])
    assert "img-src data:;" in page
