"""``web_fetch``: a page of the public web, as text.

Nothing of the person goes out but the address: no cookies, no stored logins, no key. A host is resolved once, every
address it resolves to must be public, and the connection goes to the address that was checked, with the name only in
the ``Host`` header and in TLS (where the certificate must fit it). So a name that resolves to something else a moment
later gains nothing. A redirect is followed on the same site only; to another one the model has to ask anew, and so
does the policy. A proxy of the environment is not used: it would resolve the name itself, past the check.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from .failures import ToolFailure
from .policy import Action, Request
from .tool import Plan, Tool, ToolContext, ToolResult
from .web_address import (
    PORTS,
    IPAddress,
    WebAddress,
    joined,
    look_alike,
    parse_address,
    refused,
    same_site,
    why_not_public,
)
from .web_body import ACCEPTED_CODINGS, BadBody, BodyKind, Unfolder, kind_of, media_type, text_of
from .web_page import Page, labelled, page_of

if TYPE_CHECKING:
    import httpx

USER_AGENT = "patchbay (terminal coding agent; fetches a page when its user lets it)"
FETCH_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 8.0
MAX_BODY_BYTES = 5_000_000
"""Of what is received, and of what it unfolds to."""
MAX_REDIRECTS = 5
_ADDRESSES_TRIED = 3
_ERROR_BODY_BYTES = 2_000
_PREVIEW_CHARACTERS = 72
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


async def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as this machine resolves it. Raises ``OSError``."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def direct_transport() -> "httpx.AsyncBaseTransport":
    """Plain connections, each used once: no proxy, no HTTP/2, nothing kept for a later name at the same address."""
    import httpx  # most of a second: only when something is fetched

    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), retries=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAccess:
    """How the web is reached. Other values are for tests; no setting and no environment variable leads here."""

    resolve: Callable[[str, int], Awaitable[list[str]]] = resolve_host
    why_not: Callable[[IPAddress], str] = why_not_public
    """Why an address may not be connected to; empty when it may."""
    transport: Callable[[], "httpx.AsyncBaseTransport"] = direct_transport
    ports: frozenset[int] | None = PORTS
    """None: all."""
    timeout_s: float = FETCH_TIMEOUT_S


class FetchArguments(BaseModel):
    """What to fetch."""

    url: Annotated[str, Field(min_length=1)]


class WebFetch(Tool[FetchArguments]):
    """Fetches one address, after asking for its host."""

    name = "web_fetch"
    description = (
        "Fetch a public web page or text file by http(s) URL. HTML comes as Markdown; links keep their targets."
    )
    max_bytes = 60_000
    arguments = FetchArguments

    def __init__(self, access: WebAccess | None = None) -> None:
        self._access = WebAccess() if access is None else access

    def title(self, arguments: FetchArguments) -> str:
        """The address, with its host in ASCII, so that no letter looks like another."""
        try:
            return str(parse_address(arguments.url, ports=None))
        except ToolFailure:
            return arguments.url

    def request(self, arguments: FetchArguments, context: ToolContext) -> Request:
        """Fetching from one host. Raises ``ToolFailure`` for an address that is never fetched."""
        address = parse_address(arguments.url, ports=self._access.ports)
        return Request(tool=self.name, action=Action.FETCH, host=address.host)

    async def prepare(self, arguments: FetchArguments, context: ToolContext, request: Request) -> Plan:
        """Nothing is asked of the network before the person's answer, not even a name."""
        address = parse_address(arguments.url, ports=self._access.ports)
        return Plan(run=partial(_fetch, address, self._access, context), preview=_preview(address))


def _preview(address: WebAddress) -> str:
    """What the one-line title has no room for: a long address whole, and what a look-alike name hides."""
    lines: list[str] = []
    if shown := look_alike(address.host):
        lines.append(f"{address.host} is {shown}")
    text = str(address)
    if len(text) > _PREVIEW_CHARACTERS:
        lines += [text[at : at + _PREVIEW_CHARACTERS] for at in range(0, len(text), _PREVIEW_CHARACTERS)]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """A final reply, read whole. ``cut`` when the body went on beyond the bound."""

    address: WebAddress
    status: str
    ok: bool
    content_type: str
    body: bytes
    cut: bool


async def _fetch(address: WebAddress, access: WebAccess, context: ToolContext) -> ToolResult:
    # Loading the client and the certificates takes a while that the screen must not wait for.
    transport = await asyncio.to_thread(access.transport)
    try:
        async with asyncio.timeout(access.timeout_s):
            reply = await _followed(address, access, transport)
    except TimeoutError:
        raise ToolFailure(
            f"Not fetched: {address.authority} did not send it within {access.timeout_s:g} s. Try again later, or a"
            " smaller page.",
            summary="timeout",
        ) from None
    except BadBody as problem:
        raise ToolFailure(f"{address} cannot be read: {problem}.") from None
    finally:
        await transport.aclose()
    return await _result(reply, context)


async def _followed(address: WebAddress, access: WebAccess, transport: "httpx.AsyncBaseTransport") -> _Reply:
    """The final reply, after at most ``MAX_REDIRECTS`` redirects on the same site."""
    for _ in range(MAX_REDIRECTS + 1):
        async with _asked(address, access, transport) as reply:
            location = reply.headers.get("location", "")
            if reply.status_code not in _REDIRECTS or not location:
                return await _read(reply, address)
        address = _redirected(address, location, access)
    raise refused(f"{address.host} redirects more than {MAX_REDIRECTS} times")


def _redirected(address: WebAddress, location: str, access: WebAccess) -> WebAddress:
    """The next address. Raises ``ToolFailure`` when it is not to be followed."""
    try:
        target = parse_address(joined(address, location), ports=access.ports)
    except ToolFailure as failure:
        raise ToolFailure(f"{address} redirects. {failure.message}", summary="refused") from None
    if address.scheme == "https" and target.scheme == "http":
        raise refused(f"{address} redirects to {target}, which is not encrypted")
    if not same_site(address.host, target.host):
        raise ToolFailure(
            f"{address} redirects to another host: {target} . To go on, call web_fetch with that address.",
            summary=f"redirects to {target.host}",
        )
    return target


@asynccontextmanager
async def _asked(
    address: WebAddress, access: WebAccess, transport: "httpx.AsyncBaseTransport"
) -> AsyncGenerator["httpx.Response"]:
    """One request to the first checked address that takes it, closed at the end. Raises ``ToolFailure``."""
    import httpx

    problem = "it has no address"
    try:
        for ip in (await _checked(address, access))[:_ADDRESSES_TRIED]:
            try:
                reply = await transport.handle_async_request(_request(address, ip))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = str(error) or "it does not answer"
                continue
            try:
                yield reply
            finally:
                await reply.aclose()
            return
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise ToolFailure(f"Not fetched: {address.authority}: {error or type(error).__name__}.") from None
    raise ToolFailure(
        f"Not fetched: {address.authority} cannot be reached ({problem}). web_fetch connects directly, without a proxy."
    )


async def _checked(address: WebAddress, access: WebAccess) -> list[IPAddress]:
    """The addresses of the host: all of them public. Raises ``ToolFailure``."""
    if address.ip is not None:
        found = [address.ip]
    else:
        try:
            found = [ipaddress.ip_address(text) for text in await access.resolve(address.host, address.port)]
        except (OSError, UnicodeError, ValueError):
            raise ToolFailure(f"Not fetched: there is no host {address.host} (its name does not resolve).") from None
    for ip in found:
        if reason := access.why_not(ip):
            raise refused(f"{address.host} is {ip}, {reason}; only public hosts are fetched")
    return found


def _request(address: WebAddress, ip: IPAddress) -> "httpx.Request":
    """The request, to the address in place of the name."""
    import httpx

    host = f"[{ip}]" if ip.version == 6 else str(ip)
    timeouts = {"connect": CONNECT_TIMEOUT_S, "read": FETCH_TIMEOUT_S, "write": FETCH_TIMEOUT_S, "pool": None}
    url = httpx.URL(scheme=address.scheme, host=host, port=address.port, raw_path=address.target.encode("ascii"))
    return httpx.Request(
        "GET",
        url,
        headers={
            "Host": address.authority,
            "User-Agent": USER_AGENT,
            "Accept": "text/html, text/markdown, text/plain, application/json;q=0.9, */*;q=0.5",
            "Accept-Encoding": ACCEPTED_CODINGS,
            "Connection": "close",
        },
        extensions={"timeout": timeouts, "sni_hostname": address.host},
    )


async def _read(reply: "httpx.Response", address: WebAddress) -> _Reply:
    """The body of a reply, within bounds. Raises ``BadBody``, and ``ToolFailure`` for what is no text."""
    content_type = reply.headers.get("content-type", "")
    kind = kind_of(media_type(content_type))
    if kind is BodyKind.BINARY and reply.is_success:
        raise _binary(address, content_type, reply.headers.get("content-length", ""))
    unfolder = Unfolder(reply.headers.get("content-encoding", ""), limit=MAX_BODY_BYTES)
    body = bytearray()
    received, cut = 0, False
    async for chunk in reply.aiter_raw():
        received += len(chunk)
        for piece in unfolder.feed(chunk):
            body += piece
            await asyncio.sleep(0)  # what unfolds a thousandfold must not hold up the screen
        if unfolder.full or received > MAX_BODY_BYTES:
            cut = True
            break
    else:
        for piece in unfolder.end():
            body += piece
        cut = unfolder.full
    status = f"{reply.status_code} {reply.reason_phrase}".strip()
    return _Reply(
        address=address,
        status=status,
        ok=reply.is_success,
        content_type=content_type,
        body=bytes(body),
        cut=cut,
    )


def _binary(address: WebAddress, content_type: str, length: str) -> ToolFailure:
    bytes_ = f"{int(length):,} bytes" if length.isdecimal() and len(length) < 16 else "of unknown size"
    media = media_type(content_type)[:80] or "no text"
    return ToolFailure(
        f"{address} is {media}, {bytes_}: only text is fetched. Download it with bash (curl -LO) if it is needed.",
        summary="binary",
    )


async def _result(reply: _Reply, context: ToolContext) -> ToolResult:
    media = media_type(reply.content_type)
    markup = kind_of(media) is BodyKind.HTML
    text = await asyncio.to_thread(text_of, reply.body, reply.content_type, markup=markup or media.endswith("xml"))
    if not reply.ok:
        raise ToolFailure(_error(reply, "" if text is None or markup else text, context), summary=reply.status[:40])
    if text is None:
        raise _binary(reply.address, reply.content_type, str(len(reply.body)))
    if markup or (not media and text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))):
        page = await page_of(text, str(reply.address), context)
    else:
        page = Page(text=text)
    if reply.cut:
        note = f"received up to {MAX_BODY_BYTES:,} bytes: the end is missing"
        page = Page(text=page.text, title=page.title, notes=(note, *page.notes))
    content = await asyncio.to_thread(labelled, page, str(reply.address), context, kind=media)
    return ToolResult(content=content, summary=f"{len(reply.body):,} bytes")


def _error(reply: _Reply, text: str, context: ToolContext) -> str:
    """What a server's refusal says, with the beginning of its words when they are plain text."""
    first = f"{reply.address} answers {reply.status}."
    if not text.strip():
        return first
    page = Page(text=text.strip()[:_ERROR_BODY_BYTES])
    return f"{first}\n{labelled(page, str(reply.address), context, kind='')}"
