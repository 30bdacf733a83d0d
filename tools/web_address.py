"""Which web addresses a tool may fetch, judged before anything is sent.

Two questions, apart from each other: is this text an address that every program reads in the same way
(``parse_address``), and is this IP address one of the public internet (``why_not_public``). Names are judged
by their form here and by what they resolve to later; only the second is a wall, the first keeps spellings out
that exist to be misread.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from .failures import ToolFailure
from .safe_text import reveal

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that web servers are reached at; others mostly belong to services that are no web servers."""
MAX_CHARACTERS = 4096

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*))?(?P<rest>[^#]*)(?:#.*)?", re.DOTALL
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LOCAL_ENDINGS = frozenset(
    ("localhost", "local", "internal", "localdomain", "lan", "home", "corp", "intranet", "private", "onion", "test")
)
_LOCAL_SUFFIXES = (".home.arpa", ".in-addr.arpa", ".ip6.arpa")
_ESCAPED = "%/?:@!$&'()*+,;=-._~[]|"
"""What keeps its meaning in path and query; everything else is percent-encoded."""

_V6_PUBLIC = ipaddress.IPv6Network("2000::/3")
_V6_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_SPECIAL = tuple(
    (ipaddress.ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this machine's"),
        ("127.0.0.0/8", "a loopback"),
        ("10.0.0.0/8", "a private"),
        ("172.16.0.0/12", "a private"),
        ("192.168.0.0/16", "a private"),
        ("169.254.0.0/16", "a link-local"),
        ("100.64.0.0/10", "a carrier's internal"),
        ("192.0.0.0/24", "a protocol's own"),
        ("192.0.2.0/24", "a documentation"),
        ("192.88.99.0/24", "a tunnel"),
        ("198.18.0.0/15", "a benchmark"),
        ("198.51.100.0/24", "a documentation"),
        ("203.0.113.0/24", "a documentation"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
        ("168.63.129.16/32", "a cloud's internal"),
        ("::/128", "this machine's"),
        ("::1/128", "a loopback"),
        ("::ffff:0:0/96", "an IPv4-mapped"),
        ("64:ff9b:1::/48", "a translated"),
        ("2001::/23", "a tunnel or protocol's own"),
        ("2001:db8::/32", "a documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "a documentation"),
        ("fc00::/7", "a private"),
        ("fe80::/10", "a link-local"),
        ("fec0::/10", "a private"),
        ("ff00::/8", "a multicast"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """A web address in parts that leave nothing to read in two ways."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """ASCII, lower case; an IPv6 address without brackets."""
    port: int
    target: str
    """Path and query, percent-encoded, beginning with a slash."""

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def ip(self) -> IPAddress | None:
        """The address itself when the host is one; None for a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_address(text: str, *, ports: frozenset[int] | None = PORTS) -> WebAddress:
    """The address that ``text`` spells. ``ports`` None allows all.

    Raises ``ToolFailure`` with cause and fix for everything that is no plain web address: other schemes,
    user names, numbers in place of an address, local names, spellings that programs read differently.
    """
    text = text.strip(" ")
    found = None if len(text) > MAX_CHARACTERS or _CONTROL.search(text) else _URL.fullmatch(text)
    if len(text) > MAX_CHARACTERS:
        raise refused(f"the address has {len(text):,} characters; at most {MAX_CHARACTERS:,} are fetched")
    if "\\" in text or _CONTROL.search(text):
        raise refused(f"{_shown(text)} holds control characters or backslashes, which programs read differently")
    if found is None or (found["authority"] is None and found["scheme"].lower() in _DEFAULT_PORTS):
        raise refused(f"{_shown(text)} is no whole address; write it like https://docs.python.org/3/")
    scheme = found["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        hint = "; read a file with read" if scheme == "file" else ""
        raise refused(f"only http and https are fetched, not {_shown(scheme)}:{hint}")
    authority: str = found["authority"]
    if "@" in authority:
        raise refused(f"{_shown(authority)} holds a user name or password (before @); leave it out")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or "%" in authority:
        raise refused(f"{_shown(authority)} is no host name; write a name like docs.python.org")
    host = _host(parts["host"])
    port = int(parts["port"]) if parts["port"] and len(parts["port"]) <= 5 else _DEFAULT_PORTS[scheme]
    if len(parts["port"] or "") > 5 or (ports is not None and port not in ports):
        raise refused(f"port {_shown(parts['port'])} is not one of the web's ({', '.join(map(str, sorted(PORTS)))})")
    return WebAddress(scheme=scheme, host=host, port=port, target=_target(found["rest"]))


def joined(base: WebAddress, location: str) -> str:
    """The text of the address that a redirect from ``base`` to ``location`` means. It is not checked yet."""
    location = location.strip(" ")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location):
        return location
    if location.startswith("//"):
        return f"{base.scheme}:{location}"
    root = f"{base.scheme}://{base.authority}"
    path = base.target.partition("?")[0]
    if location.startswith("/"):
        return root + location
    if not location or location.startswith(("?", "#")):
        return root + path + location
    return root + path[: path.rfind("/") + 1] + location


def why_not_public(address: IPAddress) -> str:
    """Why an IP address is not fetched from, as ``a private address``; empty for one of the public internet."""
    if address in _METADATA:
        return "a cloud's metadata address"
    if isinstance(address, ipaddress.IPv6Address) and address in _V6_TRANSLATED:
        # What a resolver of an IPv6-only network makes of an IPv4 address: judged by that one.
        return why_not_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    for network, kind in _SPECIAL:
        if address in network:
            return f"{kind} address"
    if isinstance(address, ipaddress.IPv6Address):
        return "" if address in _V6_PUBLIC and address.scope_id is None else "a reserved address"
    return "" if address.is_global else "a reserved address"


def look_alike(host: str) -> str:
    """What a person should know of a name with letters from outside ASCII: how it is displayed, and in which scripts.

    Empty for a plain name.
    """
    if "xn--" not in host:
        return ""
    try:
        labels = [_decoded(label) for label in host.split(".")]
    except UnicodeError:
        return f"{host} holds a part that cannot be decoded"
    shown = ".".join(labels)
    scripts = sorted({unicodedata.name(char, "?").partition(" ")[0].title() for char in shown if not char.isascii()})
    mixed = any(not label.isascii() and re.search(r"[a-z]", label) for label in labels)
    return f"displayed as {reveal(shown)}, with {', '.join(scripts)} letters" + (" among Latin ones" if mixed else "")


def same_site(one: str, other: str) -> bool:
    """Whether two host names belong to one owner for certain: equal, or apart by ``www.`` only."""
    return one.removeprefix("www.") == other.removeprefix("www.")


def covers_host(pattern: str, host: str) -> bool:
    """Whether a rule's pattern covers a host: ``*``, the host itself, or ``*.example.org`` for all names below."""
    pattern = pattern.lower()
    if pattern in ("*", host):
        return True
    return pattern.startswith("*.") and "*" not in pattern[1:] and host.endswith(pattern[1:]) and host != pattern[1:]


def refused(cause: str) -> ToolFailure:
    """The failure for an address that is not fetched."""
    return ToolFailure(f"Not fetched: {cause}.", summary="refused")


def _host(text: str) -> str:
    if not text:
        raise refused("the address names no host")
    if text.startswith("["):
        return _ipv6(text[1:-1])
    host = _ascii(text).lower()
    if host.endswith("."):
        raise refused(f"{_shown(text)} ends in a dot; leave it out")
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise refused(f"{_shown(text)} is no host name; write a name like docs.python.org")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(labels) == 1 or labels[-1] in _LOCAL_ENDINGS or f".{host}".endswith(_LOCAL_SUFFIXES):
        raise refused(f"{host} is a name of this machine or its own network; use bash for local servers")
    return host


def _ipv4(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise refused(f"{text} is a number that programs read as different addresses; write the host's name") from None
    _refuse_special(address)
    return str(address)


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise refused(f"[{_shown(text)}] is no IPv6 address; write the host's name") from None
    if address in _V6_TRANSLATED:
        raise refused(f"[{text}] is an IPv4 address in disguise; write the host's name")
    _refuse_special(address)
    return str(address)


def _refuse_special(address: IPAddress) -> None:
    if reason := why_not_public(address):
        raise refused(f"{address} is {reason}; only public hosts are fetched (use bash for local servers)")


def _ascii(host: str) -> str:
    """The host with other letters in their ASCII form (RFC 3490). Only letters that stand for themselves pass."""
    if host.isascii():
        return host
    lowered = host.lower()
    if unicodedata.normalize("NFKC", lowered) != lowered:
        raise refused(f"{_shown(host)} is written with characters that stand for others; write it in plain letters")
    try:
        labels = [label if label.isascii() else label.encode("idna").decode("ascii") for label in lowered.split(".")]
        faithful = all(_decoded(label) == given for label, given in zip(labels, lowered.split("."), strict=True))
    except UnicodeError:
        faithful, labels = False, []
    if not faithful:
        raise refused(f"{_shown(host)} has no certain ASCII form; write its xn-- form")
    return ".".join(labels)


def _decoded(label: str) -> str:
    """A label as it is displayed. Raises ``UnicodeError``."""
    return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label


def _target(rest: str) -> str:
    path = quote(rest, safe=_ESCAPED)
    return path if path.startswith("/") else f"/{path}"


def _shown(text: str | None) -> str:
    shown = reveal(text or "").replace("\n", "⟨U+000A⟩").replace("\t", "⟨U+0009⟩")
    return shown if len(shown) <= 120 else shown[:119] + "…"
