"""A provider as the directory registers it, and what its server said last."""

from dataclasses import dataclass, replace

from .base import ModelInfo, Online, Origin
from .discovery import Discovered
from .endpoint import Endpoint
from .presets import PRESETS, Preset
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
        """Whether a refresh asks it: local servers and those the catalogue knows nothing of, never a known cloud."""
        return self.endpoint is not None and not self.preset.key_required


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a server said at the last refresh."""

    online: Online
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""
    proxy: bool = False
    """It passes requests on to services that cost money, wherever it runs itself."""
    server: str = ""
    """The preset of the software it was recognised as."""


def heard(entry: Entry, server: Discovered) -> Live:
    """The findings under the name the person uses."""
    models = tuple(replace(model, ref=replace(model.ref, provider=entry.name)) for model in server.models)
    proxy = not PRESETS[server.preset].local
    return Live(online=Online.ONLINE, models=models, problem=server.problem, proxy=proxy, server=server.preset)
