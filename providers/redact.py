"""Keep keys out of everything that is shown, logged, stored or exported.

Two nets: every key that was ever resolved is registered and replaced wherever it turns up, and whatever has
the shape of a known credential is replaced even when nobody registered it (a server may echo a key, a tool may
print one).
"""

import re
from threading import Lock

PLACEHOLDER = "[redacted]"
MIN_SECRET_LENGTH = 6
"""Shorter values are not registered: replacing "none" or "x" in every text would only garble it."""

_DUMMY_KEYS = frozenset({"ollama", "lm-studio", "dummy-key", "not-needed", "no-key-required", "placeholder"})

# Every repeat that may start at many places is bounded, so that a hostile text costs linear time.
_SHAPES = re.compile(
    r"""
      (?P<kept>
          (?i:\b(?:proxy-)?authorization["']?\s{0,8}[:=,]\s{0,8}(?:b?["'])?(?:(?:bearer|basic|token)\s{1,8})?+)
        | (?i:\bbearer\s{1,8}(?=[^\s"',;]{12})(?=[^\s"',;]{0,64}[0-9]))
        | (?i:\b(?:x-api-key|api-key|x-goog-api-key|x-auth-token)["']?\s{0,8}[:=,]\s{0,8}(?:b?["'])?)
        | \b[A-Z][A-Z0-9_]{0,64}(?:API_KEY|_TOKEN|_SECRET|SECRET_ACCESS_KEY)["']?\s{0,8}=\s{0,8}["']?(?=[^\s"',;]{8})
        | ://[^\s/:@"']{0,128}:(?=[^\s/@"']{1,512}@)
        | (?i:[?&](?:api[_-]?key|key|access_token|token)=)
      )
      (?P<value>(?![$<{\[])[^\s"',;&@]+)
    | \b(?:sk|xai|key)-(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{16,}
    | \b(?:gsk|hf|r8|fw|tgp_v[0-9]|[spr]k_(?:live|test))_[A-Za-z0-9_-]{16,}
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bgh[opsur]_[A-Za-z0-9]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}
    | \bAIza[A-Za-z0-9_-]{30,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \beyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]*
    | -----BEGIN\ [A-Z ]{0,32}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]{0,32}PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Secrets:
    """The registered keys and one pattern over them, rebuilt only when a key is new."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def remember(self, value: str) -> None:
        with self._lock:
            if value in self._values:
                return
            self._values.add(value)
            # Longest first: a key that begins with another key must not leave its tail behind.
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def replace(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(PLACEHOLDER, text)

    def settled(self, text: str) -> int:
        """Where a text may be cut: before it every key is whole, and no key goes across."""
        start = 0
        while True:
            cut = len(text) - self._begun(text[start:])
            across = () if self._pattern is None else self._pattern.finditer(text, start)
            key = next((found for found in across if found.start() < cut < found.end()), None)
            if key is None:
                return cut
            start = key.end()

    def _begun(self, text: str) -> int:
        """How many characters at the end of ``text`` may be the beginning of a secret."""
        most = 0
        for value in tuple(self._values):
            for length in range(min(len(value) - 1, len(text)), most, -1):
                if text.endswith(value[:length]):
                    most = length
                    break
        return most


_secrets = _Secrets()


def remember_secret(value: str) -> None:
    """Register a key, so that ``redact`` replaces it everywhere.

    Very short values and the dummy keys local servers ignore (``ollama``) are left out.
    """
    stripped = value.strip()
    if len(stripped) >= MIN_SECRET_LENGTH and stripped.lower() not in _DUMMY_KEYS:
        _secrets.remember(stripped)


def redact_registered(text: str) -> str:
    """The text with every registered secret replaced, and nothing else: for what must stay byte-exact otherwise."""
    return _secrets.replace(text)


class RedactingStream:
    """``redact_registered`` for text that comes in chunks: a key may be split anywhere.

    The outputs of ``feed`` and ``flush``, joined, equal ``redact_registered`` of the joined chunks. What may be the
    beginning of a key is held back: seldom more than a character, never more than the longest key.
    """

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, chunk: str) -> str:
        """Take the next chunk; return what is certain by now."""
        text = self._pending + chunk
        cut = _secrets.settled(text)
        self._pending = text[cut:]
        return redact_registered(text[:cut])

    def flush(self) -> str:
        """The input is over; return the rest."""
        rest, self._pending = redact_registered(self._pending), ""
        return rest


def redact(text: str) -> str:
    """The text with every registered secret, and everything shaped like a credential, replaced by ``[redacted]``."""
    return _SHAPES.sub(_replacement, _secrets.replace(text))


def _replacement(found: re.Match[str]) -> str:
    """Keep what names the credential (header, variable, part of a URL); replace its value."""
    return (found.group("kept") or "") + PLACEHOLDER
