"""A loopback web server that says byte for byte what it is told, and a web access that may reach it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from patchbay.tools.web import WebAccess
from patchbay.tools.web_address import IPAddress, why_not_public

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(
    body: bytes | str = b"", *headers: str, status: str = "200 OK", kind: str = "text/html; charset=utf-8"
) -> bytes:
    """A whole HTTP reply."""
    body = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body)}",
        *([f"Content-Type: {kind}"] if kind else []),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return reply(b"", f"Location: {location}", status=status)


@dataclass
class WebServer:
    """Answers by path; the last answer of a list is repeated. Keeps the heads of all requests."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            answer = self.answers.get(
                head.split(" ")[1], reply("nothing here", status="404 Not Found", kind="text/plain")
            )
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def access(self, *, timeout_s: float = 10, **hosts: list[str]) -> WebAccess:
        """An access in which every name is this server and 127.0.0.1 is public; everything else stays as it is."""

        async def resolve(host: str, port: int) -> list[str]:
            self.resolved.append(host)
            return hosts.get(host.replace(".", "_"), ["127.0.0.1"])

        def why_not(address: IPAddress) -> str:
            return "" if str(address) == "127.0.0.1" else why_not_public(address)

        return WebAccess(resolve=resolve, why_not=why_not, ports=None, timeout_s=timeout_s)


@asynccontextmanager
async def web_server(**answers: Answer) -> AsyncIterator[WebServer]:
    """A running server; ``page=...`` answers ``/page``."""
    web = WebServer(answers={f"/{path}": answer for path, answer in answers.items()})
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield web
