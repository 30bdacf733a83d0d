"""Turns text from outside (model, tool, file, server) into text that is safe to paint, log or send on.

A terminal obeys control characters and the escape sequences of ECMA-48 and xterm: they move the cursor, set
the clipboard and the title, or make the terminal type an answer. Bidirectional controls and characters
without width make text look like something else. ``safe_text`` takes the first kind out and makes the second
kind visible. ``reveal`` hides nothing: use it for what a person is asked to approve.

All functions are linear in the length of the text and return clean text unchanged, at C speed.
"""

import re

_BODY = r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]"
_CSI_BODY = r"[0-?]{0,256}+[ -/]{0,16}+"
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_C1_STRING_LIMIT = 4096
"""Characters. An 8-bit string introducer without an end is more often wrongly decoded text than a sequence."""
_STRING_LIMIT = 4096
"""Characters of an unfinished sequence a stream remembers; the rest of it is dropped as it comes."""

_REMOVED = re.compile(
    rf"\x1b\[{_CSI_BODY}[@-~]?"  # CSI, whole or cut off
    rf"|\x1b[\]PX^_]{_BODY}*+(?:[\x07\x9c]|\x1b\\)?"  # OSC, DCS, SOS, PM, APC; without an end: up to the next control
    rf"|[\x90\x98\x9d\x9e\x9f]{_BODY}{{0,{_C1_STRING_LIMIT}}}+(?:[\x07\x9c]|\x1b\\)"  # the same, 8-bit, whole
    rf"|\x9b{_CSI_BODY}[@-~]"
    r"|\x1b[ -/]{0,16}+[0-~]?"  # every other escape
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # controls left over; tab and line ends stay
)
_UNFINISHED = re.compile(
    rf"(?:\x1b(?:\[{_CSI_BODY}|[\]PX^_]{_BODY}*+\x1b?|[ -/]{{0,16}}+)"
    rf"|[\x90\x98\x9d\x9e\x9f]{_BODY}{{0,{_C1_STRING_LIMIT}}}+\x1b?|\x9b{_CSI_BODY}|(?<!\r)\r++)\Z"
)
_LINE_END = re.compile(r"\r+\n?")
_INVISIBLE_CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_REPEATED_VARIATION = r"(?<=[\ufe0e\ufe0f])[\ufe0e\ufe0f]"
_INVISIBLE = re.compile(
    rf"(?<=[{_EMOJI}])(\u200d)"  # goes without a trace: joined emoji have no width that terminals agree on
    rf"|[{_INVISIBLE_CLASS}]|{_REPEATED_VARIATION}"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TOUCHED = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufe0e\ufe0f{_INVISIBLE_CLASS}]")
_REVEALED = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE_CLASS}]|{_REPEATED_VARIATION}")
_JOINED = "\u0600-\u1fff\u2190-\ufefe\uff00-\U000dffff"
_MARKED = re.compile(
    # A joiner between two letters or signs beyond Latin and Greek belongs to the spelling or the emoji.
    rf"(?![\u200c\u200d](?<=[{_JOINED}].)(?=[{_JOINED}]))"
    rf"(?:[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE_CLASS}]|{_REPEATED_VARIATION})"
)
_COMMON_INVISIBLE = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
_LITERAL_MARK = re.compile(r"⟨(?=U\+[0-9A-F]{4,6}⟩)")
_MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
_CONTEXT = re.compile(rf"[{_EMOJI}\ufe0e]")


def safe_text(text: str) -> str:
    """Text of several lines without control characters, except tab and newline.

    Escape sequences are removed whole; one that never ends is removed up to the next control character or the
    end of its line. ``\\r\\n`` and a run of ``\\r`` become one ``\\n``. Bidirectional controls and characters without
    width become ``⟨U+202E⟩``, lone surrogates (undecodable bytes) the replacement character.
    """
    return text if _TOUCHED.search(text) is None else _visible(_without_controls(text))


def safe_line(text: str) -> str:
    """``safe_text`` on one line: a newline becomes ``↵``, a tab a space."""
    text = safe_text(text)
    return text.replace("\n", "↵").replace("\t", " ") if "\n" in text or "\t" in text else text


def reveal(text: str) -> str:
    """Text with every control and invisible character shown as ``⟨U+001B⟩``; nothing is taken out.

    For commands, paths and diffs that a person approves: removing a sequence would hide what it carries.
    Newlines and tabs stay.
    """
    if _TOUCHED.search(text) is None:
        return text
    return _SURROGATE.sub("\ufffd", _REVEALED.sub(_code_point, text))


def marked(text: str) -> str:
    """``reveal`` for text that a model reads: joiners that belong to a script or an emoji stay as they are."""
    if _TOUCHED.search(text) is None:
        return text
    return _SURROGATE.sub("\ufffd", _MARKED.sub(_code_point, text))


def marked_exactly(text: str) -> str:
    """``marked``, so that ``unmarked`` gives back the very same text: what looks like a mark already is marked too.

    Only lone surrogates (undecodable bytes) are lost.
    """
    return marked(_LITERAL_MARK.sub("⟨U+27E8⟩", text) if "⟨U+" in text else text)


def unmarked(text: str) -> str:
    """Text with the characters that ``marked_exactly`` showed as ``⟨U+001B⟩`` in their places again."""
    return _MARK.sub(lambda mark: _character(int(mark[1], 16), mark[0]), text) if "⟨U+" in text else text


def marked_name(name: str) -> str:
    """``marked`` for the name of a file, on one line: a line end in it cannot look like the next name."""
    return marked(name).replace("\n", "⟨U+000A⟩").replace("\t", "⟨U+0009⟩")


def visible_text(text: str) -> tuple[str, int]:
    """``safe_text`` without invisible characters, and how many were taken out.

    For text that is read once and never changed. Soft hyphens and spaces without width are no news and not counted.
    """
    if _TOUCHED.search(text) is None:
        return text, 0
    text = _SURROGATE.sub("\ufffd", _without_controls(text))
    common = len(_COMMON_INVISIBLE.findall(text))
    text, count = _MARKED.subn("", text)
    return text, count - common


class SafeTextStream:
    """``safe_text`` for text that comes in chunks: a sequence may be split anywhere.

    The outputs of ``feed`` and ``flush``, joined, equal ``safe_text`` of the joined chunks. At most about
    ``_STRING_LIMIT`` characters are held back.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._context = ""

    def feed(self, chunk: str) -> str:
        """Take the next chunk; return what is certain by now."""
        if not self._pending and not self._context and chunk and _TOUCHED.search(chunk) is None:
            self._context = chunk[-1] if _CONTEXT.match(chunk[-1]) else ""
            return chunk
        text = self._pending + chunk
        unfinished = _UNFINISHED.search(text)
        start = len(text) if unfinished is None else unfinished.start()
        self._pending = _bounded(text[start:])
        return self._release(text[:start])

    def flush(self) -> str:
        """The input is over; return the rest."""
        rest, self._pending = self._release(self._pending), ""
        self._context = ""
        return rest

    def _release(self, ready: str) -> str:
        if _TOUCHED.search(ready) is not None:
            ready = _without_controls(ready)
        if not ready:
            return ""
        context, self._context = self._context, ready[-1] if _CONTEXT.match(ready[-1]) else ""
        return _visible(context + ready)[len(context) :]


def _bounded(pending: str) -> str:
    """An unfinished string sequence without its body when that grew too long; line ends without repeats."""
    if pending.startswith("\r"):
        return "\r"
    if len(pending) <= _STRING_LIMIT or not pending.startswith("\x1b"):
        return pending
    return pending[:2] + ("\x1b" if pending.endswith("\x1b") else "")


def _without_controls(text: str) -> str:
    return _REMOVED.sub("", _LINE_END.sub("\n", text))


def _visible(text: str) -> str:
    if _TOUCHED.search(text) is None:
        return text
    return _SURROGATE.sub("\ufffd", _INVISIBLE.sub(_code_point, text))


def _character(number: int, otherwise: str) -> str:
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else otherwise


def _code_point(match: re.Match[str]) -> str:
    return "" if match.lastindex else f"⟨U+{ord(match[0]):04X}⟩"
