"""A provider as the directory registers it, and what its server said last."""

from dataclasses import dataclass, replace

from .base import ModelInfo, Online, Origin
from .discovery import Discovered
from .endpoint import Endpoint
from .presets import PRESETS, Preset, is_loopback
from .registry import ProviderConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One provider as registered. Without an endpoint it is disabled and ``problem`` says why."""

    config: ProviderConfig
    preset: Preset
    origin: Origin
    endpoint: Endpoint | None
    problem: str = ""

    @property
    def name(self) -> str:
        """The name the person uses."""
        return self.config.name

    @property
    def table(self) -> str:
        """Its name in the catalogue; never that of a service whose name a foreign server was given."""
        if self.preset.name != "custom":
            return self.preset.name
        return "" if self.config.name in PRESETS else self.config.name

    @property
    def asked(self) -> bool:
        """Whether a refresh asks it: local servers, those the catalogue knows nothing of, those that tell prices."""
        return self.endpoint is not None and (not self.preset.key_required or self.preset.tells_prices)

    @property
    def local(self) -> bool:
        """Whether it runs on the person's own machine."""
        return self.preset.local if self.endpoint is None else self.endpoint.local

    @property
    def nearby(self) -> bool:
        """Whether its server is on this machine, be it a proxy to services elsewhere."""
        return self.local or (self.endpoint is not None and is_loopback(self.endpoint.base_url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a server said at the last refresh."""

    online: Online
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""
    seen: float | None = None
    """When it answered last, in seconds since the epoch."""
    proxy: bool = False
    """It passes requests on to services that cost money, wherever it runs itself."""
    server: str = ""
    """The preset of the software it was recognised as."""


def heard(entry: Entry, server: Discovered, now: float) -> Live:
    """The findings under the name the person uses, heard at an epoch time."""
    models = tuple(replace(model, ref=replace(model.ref, provider=entry.name)) for model in server.models)
    proxy = not PRESETS[server.preset].local
    return Live(
        online=Online.ONLINE, models=models, problem=server.problem, seen=now, proxy=proxy, server=server.preset
    )


def answered_since(live: Live | None, moment: float) -> bool:
    """Whether a server that counts as online answered after an epoch time."""
    return live is not None and live.online is Online.ONLINE and live.seen is not None and live.seen > moment


def gone(last: Live | None, problem: str) -> Live:
    """A server that does not answer: what it said last is kept, with when that was."""
    return replace(last or Live(online=Online.OFFLINE), online=Online.OFFLINE, problem=problem)
