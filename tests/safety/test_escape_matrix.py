"""Every hostile text in every place of the screen: none of its control sequences may reach the terminal.

The real application paints on a real pseudo-terminal. What it writes is compared with what it writes for a harmless
text in the same places: no kind of sequence, and no control or invisible character, may be new.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from support.painting import PLACES, mark
from support.pty_screen import PtyScreen

CASES = os.environ.get("PATCHBAY_CASES", "")
OWN = (
    "\x1b]52;c;Zm9v\x07",
    "x\x1b]0;title\x1b\\y",
    "\x1b]8;;http://elsewhere.test\x07here\x1b]8;;\x07",
    "\x1b]52;c;never ended",
    "\x9d0;eight bits\x9c",
    "\x9b31mred",
    "\x1bPpayload\x1b\\",
    "\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\",
    "\x1b[2J\x1b[HYES",
    "\x1b[6n\x1b[c\x1b[?25l\x1b[?1049l",
    "\x1bc\x1b(0\x0e\x0f\x07\x08\x08\x0b\x0c\x00\x7f",
    "safe\rhidden",
    "a\u202eb\u2066c\u200bd\u00ade\U000e0041",
    "a\ud800b",
    "[@click=app.quit]press[/] [bold]loud[/bold] [link=http://elsewhere.test]here[/link] \\[x] [/]",
    "$accent [$warn]x[/] {0} %s",
)
SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])", re.DOTALL)
OWN_LINK = re.compile(rb"\x1b\]8;id=[^;]*;(https?://[!-~]*?)\x1b\\")
"""How a bare address, or a Markdown link that shows its target, is made clickable."""
INVISIBLE = re.compile("[\x80-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")

LONG = 150
"""Characters."""


def paint(payloads: list[str], folder: Path) -> list[bytes]:
    """What was written for each payload."""
    folder.mkdir()
    listing, seen = folder / "payloads.json", folder / "seen"
    listing.write_text(json.dumps(payloads))
    seen.write_text("0")
    script = Path(__file__).parents[1] / "support" / "painting.py"
    environ = {
        **os.environ,
        "PYTHONPATH": str(script.parents[1]),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
    }
    pieces: list[bytes] = []
    with PtyScreen(
        [sys.executable, str(script), str(listing), str(seen)], folder=folder, environ=environ, size=(240, 120)
    ) as it:
        for number in range(len(payloads)):
            # A long text may push the marks of other places out of view; it is painted all the same.
            places = PLACES if len(payloads[number]) < LONG else ("session title", "tool argument")
            marks = [mark(place, number).encode() for place in places]
            start = len(it.written)
            try:
                it.wait(lambda written, m=marks, s=start: all(each in written[s:] for each in m), 40)
            except AssertionError:
                missing = [each for each in marks if each not in it.written[start:]]
                pytest.fail(
                    f"payload {number} {payloads[number][:60]!r}: not painted: {missing}; {bytes(it.written[-600:])!r}"
                )
            pieces.append(bytes(it.written[start:]))
            (folder / "new").write_text(str(number + 1))
            (folder / "new").replace(seen)
        it.finish()
        assert it.process.returncode == 0
    return pieces


def kinds(written: bytes) -> set[bytes]:
    """The kinds of control sequences and single controls, numbers left out."""
    found = {re.sub(rb"\d+", b"N", each) for each in SEQUENCE.findall(written)}
    kept = {re.sub(rb"(?:N[;:])*N?m\Z", b"m", each) for each in found}
    return kept | set(re.findall(rb"[\x00-\x1a\x1c-\x1f\x7f]", SEQUENCE.sub(b"", written)))


def leaks(payload: str, written: bytes, usual: set[bytes], shown: bytes) -> list[str]:
    """What of a payload reached the terminal. ``shown`` is all text on screen: own links lead to addresses in it."""
    written = OWN_LINK.sub(lambda link: b"" if link[1] in shown else link[0], written)
    found = [repr(each) for each in sorted(kinds(written) - usual)]
    found += [repr(each) for each in INVISIBLE.findall(written.decode("utf-8", "replace"))[:3]]
    raw = payload.encode("utf-8", "surrogatepass")
    for each in SEQUENCE.finditer(raw):
        literal = raw[each.start() : each.end() + 3]
        styling = literal == each[0] and literal.endswith(b"m")  # at the end of a payload: the screen's own
        if literal in written and not styling:
            found.append(f"literally {literal!r}")
    return found


def check(payloads: list[str], tmp_path: Path) -> None:
    plain = ["harmless", "harmless\ntext", "https://plain.test [a](http://plain.test)"]
    usual = set().union(*map(kinds, paint(plain * 2, tmp_path / "plain")))
    pieces = paint(payloads, tmp_path / "hostile")
    shown = b" ".join(SEQUENCE.sub(b"", each.encode("utf-8", "surrogatepass")) for each in payloads)
    wrong = {
        ascii(text)[:60]: found
        for text, piece in zip(payloads, pieces, strict=True)
        if (found := leaks(text, piece, usual, shown))
    }
    assert not wrong, "\n".join(f"{text}: {found}" for text, found in wrong.items())


@pytest.mark.timeout(180)
def test_own_payloads_leave_no_trace_on_the_terminal(tmp_path: Path) -> None:
    check(list(OWN), tmp_path)


@pytest.mark.cases
@pytest.mark.timeout(300)
@pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with recorded cases")
def test_recorded_payloads_leave_no_trace_on_the_terminal(tmp_path: Path) -> None:
    folder = Path(CASES) / "safety"
    assert set(json.loads((folder / "escape_places.json").read_text())) == set(PLACES)
    lines = (folder / "escape_cases.jsonl").read_text().splitlines()
    check([json.loads(line)["payload"] for line in lines], tmp_path)
