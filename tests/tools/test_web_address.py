"""Which addresses may be fetched: spellings and IP addresses, and that nothing slips between the two."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.failures import ToolFailure
from patchbay.tools.web_address import (
    covers_host,
    joined,
    look_alike,
    parse_address,
    same_site,
    why_not_public,
)

REFUSED = [
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "data:text/html,hi",
    "javascript:alert(1)",
    "ws://example.com/",
    "http:example.com",
    "http:/example.com",
    "//example.com/",
    "example.com",
    "",
    "http://",
    "http:///etc",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://example.com@10.0.0.1/",
    "http://example.com:80@evil.org/",
    "http://example.com%40evil.org/",
    "http://example.com\\@evil.org/",
    "http:\\\\example.com\\",
    "http://exa mple.com/",
    "http://exa\tmple.com/",
    "http://example.com/\r\nHost: evil.org",
    "http://example.com\n.evil.org/",
    "http://example.com\u2028.evil.org/",
    "http://localhost/",
    "http://LOCALHOST:8080/",
    "http://localhost./",
    "http://app.localhost/",
    "http://example.com./",
    "http://metadata/",
    "http://instance-data/latest/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://printer.local/",
    "http://router.home.arpa/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://127.0.0.1.:80/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://999.1.1.1/",
    "http://1.2.3.4.5/",
    "http://example.0x7f/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::808:808]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[::1/",
    "http://::1/",
    "http://[v1.x]/",
    "http://１２７.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://example。com/",
    "http://ｅxample.com/",
    "http://exam\u200bple.com/",
    "http://exam\u00adple.com/",
    "http://\u202eexample.com/",
    "http://straße.de/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:6379/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:443443443/",
    "http://example.com:80:80/",
    "http://example.com:x/",
    "http://-example.com/",
    "http://example..com/",
    "http://.example.com/",
    f"http://{'a' * 64}.com/",
    "http://example.com/" + "a" * 4096,
    "http://\ud800.com/",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_public_address_is_refused_with_the_cause(text: str) -> None:
    with pytest.raises(ToolFailure) as problem:
        parse_address(text)
    message = problem.value.message
    assert message.startswith("Not fetched: ") and len(message) < 400
    assert all(char.isprintable() for char in message)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://docs.python.org/3/", "https://docs.python.org/3/"),
        (" HTTPS://Docs.Python.ORG ", "https://docs.python.org/"),
        ("http://example.com:80/a?b=c&d#e", "http://example.com/a?b=c&d"),
        ("https://example.com:8443/ü", "https://example.com:8443/%C3%BC"),
        ("https://example.com?q=a b", "https://example.com/?q=a%20b"),
        ("https://example.com/%2e%2e/x", "https://example.com/%2e%2e/x"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://bücher.example.com/", "https://xn--bcher-kva.example.com/"),
        ("https://example.com/a@b", "https://example.com/a@b"),
    ],
)
def test_a_public_address_is_written_in_one_way(text: str, plain: str) -> None:
    assert str(parse_address(text)) == plain
    assert parse_address(plain) == parse_address(text)


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b::10.0.0.1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1%eth0", "link-local"),
        ("2600::1%eth0", "reserved"),
        ("4000::1", "reserved"),
        ("192.88.99.1", "tunnel"),
    ],
)
def test_addresses_that_names_must_not_resolve_to(address: str, word: str) -> None:
    assert word in why_not_public(ipaddress.ip_address(address))


def test_what_a_resolver_of_an_ipv6_only_network_makes_is_judged_by_the_address_in_it() -> None:
    assert why_not_public(ipaddress.ip_address("64:ff9b::8.8.8.8")) == ""


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_passes(address) -> None:
    if not why_not_public(address):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if "64:ff9b" in str(address) else address
        assert inner.is_global and not inner.is_multicast and not inner.is_loopback


PIECES = st.sampled_from(
    ["http", "https", ":", "//", "/", "@", "\\", ".", "%", "[", "]", "#", "?", "127.0.0.1", "0x7f", "localhost"]
) | st.sampled_from(["a.com", "::1", "。", "xn--", "ü", "80", "\u200b", "\ud800", "\n", " "])


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(PIECES, max_size=10).map("".join),
        st.lists(PIECES).map(lambda p: "http://" + "".join(p)),
    )
)
def test_every_text_is_refused_or_a_plain_address(text: str) -> None:
    try:
        address = parse_address(text)
    except ToolFailure:
        return
    assert address.host.isascii() and address.target.isascii() and address.target.startswith("/")
    assert not set(address.host) & set(" @/\\?#%[]\r\n") and not set(address.target) & set(" \r\n\\")
    assert parse_address(str(address)) == address
    assert address.ip is None or not why_not_public(address.ip)


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_never_a_host(number: int) -> None:
    for spelled in (str(number), hex(number), f"0{number:o}", f"{number >> 24}.{number & 0xFFFFFF}"):
        with pytest.raises(ToolFailure):
            parse_address(f"http://{spelled}/")


def test_look_alikes_say_what_they_look_like() -> None:
    host = parse_address("https://аррӏе.com/").host
    assert host.startswith("xn--") and look_alike(host) == "displayed as аррӏе.com, with Cyrillic letters"
    assert look_alike(parse_address("https://pаypal.com/").host).endswith("with Cyrillic letters among Latin ones")
    assert look_alike("docs.python.org") == ""
    assert "cannot be decoded" in look_alike("xn--99999999999.com")


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("docs.python.org", "docs.python.org", True),
        ("Docs.Python.org", "docs.python.org", True),
        ("python.org", "docs.python.org", False),
        ("python.org", "notpython.org", False),
        ("python.org", "python.org.evil.com", False),
        ("*.python.org", "docs.python.org", True),
        ("*.python.org", "a.b.python.org", True),
        ("*.python.org", "python.org", False),
        ("*.python.org", "evilpython.org", False),
        ("*", "anything.example.com", True),
        ("*.*", "a.b", False),
        ("*python.org", "evilpython.org", False),
    ],
)
def test_rules_cover_whole_labels_only(pattern: str, host: str, *, covered: bool) -> None:
    assert covers_host(pattern, host) is covered


@pytest.mark.parametrize(
    ("location", "whole"),
    [
        ("/b", "https://h.org/b"),
        ("b?c", "https://h.org/x/b?c"),
        ("?q", "https://h.org/x/y?q"),
        ("", "https://h.org/x/y"),
        ("//evil.org/z", "https://evil.org/z"),
        ("http://evil.org", "http://evil.org"),
        ("file:///etc", "file:///etc"),
    ],
)
def test_where_a_redirect_leads(location: str, whole: str) -> None:
    assert joined(parse_address("https://h.org/x/y?z"), location) == whole


def test_only_www_is_the_same_site() -> None:
    assert same_site("python.org", "www.python.org") and same_site("a.b", "a.b")
    assert not same_site("python.org", "docs.python.org") and not same_site("a.org", "wwwa.org")
