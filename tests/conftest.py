"""What every test may rely on: a home of its own, no keys, no proxies, and no network beyond this machine."""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from patchbay.providers import redact

# The same examples in every run, and no time limit for one: a busy machine must not fail a test.
settings.register_profile("patchbay", deadline=None, derandomize=True, database=None)
settings.load_profile("patchbay")

KEPT = frozenset({"PATCHBAY_CASES"})
"""Where outside cases lie: the tests that read them are skipped without it."""
DROPPED_PREFIXES = ("PATCHBAY_", "OPENAI_", "ANTHROPIC_", "OLLAMA_", "TEXTUAL_THEME")
DROPPED_SUFFIXES = ("_API_KEY", "_TOKEN", "_PROXY")
DROPPED = frozenset({"NO_COLOR", "FORCE_COLOR", "VISUAL", "EDITOR"})


def _is_personal(name: str) -> bool:
    upper = name.upper()
    if upper in KEPT:
        return False
    return upper in DROPPED or upper.startswith(DROPPED_PREFIXES) or upper.endswith(DROPPED_SUFFIXES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end no worker waits for another."""
    items.sort(key=lambda item: "soak" not in item.path.parts)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; nothing of the person who runs the tests is read or written."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if _is_personal(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, place in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CACHE_HOME", ".cache"),
    ):
        monkeypatch.setenv(name, str(home / place))
    return home


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine. No OSError, so that no product code takes it for a server that is down."""


def _stays_here(family: int, address: Any) -> bool:
    if family == getattr(socket, "AF_UNIX", None):
        return True
    host = address[0] if isinstance(address, tuple) else address
    return _is_loopback(host)


def _is_loopback(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys one test registers are not replaced in the texts of the next."""
    monkeypatch.setattr(redact, "_secrets", redact._Secrets())


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that connects to, sends to or looks up anything but loopback, even when the code hides the error."""
    attempts: list[str] = []

    def refuse(action: str, target: Any) -> NetworkBlocked:
        attempts.append(f"{action} {target!r}")
        return NetworkBlocked(f"tests are offline: {action} {target!r} was refused; use loopback or an httpx transport")

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def method(self: socket.socket, *args: Any) -> Any:
            address = args[-1] if args else None
            if not _stays_here(self.family, address):
                raise refuse(name, address)
            return original(self, *args)

        return method

    lookup = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_loopback(host):
            raise refuse("look up", host)
        return lookup(host, *args, **kwargs)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    if attempts:
        pytest.fail(f"this test tried to leave the machine: {'; '.join(attempts)}")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parent.parent
