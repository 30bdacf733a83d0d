"""Every provider there is: configured, ready by its key variable, found on this machine, or the demo.

The list is there at once, without a packet; ``refresh`` fills in what local servers say. Providers are opened when they
are first used and kept, so that connections are pooled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .base import FREE, ModelInfo, ModelRef, Online, Origin, Provider, ProviderConfigError, ProviderStatus
from .breaker import COOL_DOWN_S, LOCAL_COOL_DOWN_S, BreakerState, CircuitBreaker, GuardedProvider
from .capability import ToolCalling
from .catalogue import Catalogue
from .discovery import Abilities, Discovered, inspect
from .discovery import discover as find_servers
from .endpoint import Endpoint
from .entries import Entry, Live, answered_since, gone, heard
from .exchanges import ExchangeLog
from .learnt import Learnt
from .offered import demo_status, listed, model_facts, model_ids, status_of
from .presets import PRESETS, origin
from .probed import Probed
from .redact import redact
from .registry import ProviderConfig, build, choose_preset, open_provider, preset_configs
from .suggestions import choices, did_you_mean
from .text_tools import TextTools

if TYPE_CHECKING:
    import httpx

REFRESH_TIMEOUT_S = 5.0
"""The longest a refresh takes; a server that has not answered by then counts as offline until the next one."""
INSPECT_TIMEOUT_S = 1.0
"""A server the person named may be on another machine and gets longer than a port that may have nobody behind it."""
PRICES_KEPT_S = 3600.0
"""How long the prices a cloud service told hold before it is asked again."""
CONFIG_FILE = "~/.config/patchbay/config.toml"


class ProviderDirectory:
    """Names, states, models and opened providers. Belongs to one event loop."""

    def __init__(
        self,
        configs: Sequence[ProviderConfig],
        environ: Mapping[str, str],
        catalogue: Catalogue,
        *,
        default_provider: str | None = None,
        demo: Provider | None = None,
        discover: Callable[[], Awaitable[Sequence[Discovered]]] | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        config_file: str = CONFIG_FILE,
        clock: Callable[[], float] = time.time,
        log: ExchangeLog | None = None,
        learnt: Learnt | None = None,
        probed: Probed | None = None,
    ) -> None:
        """``environ`` is read again for every request; ``config_file`` is only named in messages.

        ``clock`` gives epoch seconds. What opened providers exchange with their servers is kept in ``log``, and what
        those refused in ``learnt``; ``probed`` is how models were found to call tools.
        """
        self._environ = environ
        self._catalogue = catalogue
        self._default_provider = default_provider
        self._demo = demo
        self._abilities: Abilities = {}
        self._discover = discover or partial(find_servers, abilities=self._abilities)
        self._transport = transport
        self._config_file = config_file
        self._log = log
        self._learnt = Learnt() if learnt is None else learnt
        self._probed = Probed() if probed is None else probed
        self._clock = clock
        self.on_change: Callable[[], None] = lambda: None
        """Called when a provider begins to be left alone because it keeps failing, and when it answers again."""
        self._breakers: dict[str, CircuitBreaker] = {}
        self._live: dict[str, Live] = {}
        self._opened: dict[str, Provider] = {}
        self._entries: dict[str, Entry] = {}
        for config in configs:
            self._entries[config.name] = self._entry(config, Origin.CONFIGURED)
        for config in preset_configs(environ):
            if not self._covers(config.name):
                self._entries[config.name] = self._entry(config, Origin.PRESET)

    # --- what there is -----------------------------------------------------------------------------------------------

    def statuses(self, *, nearby: bool = False) -> tuple[ProviderStatus, ...]:
        """Every provider: configured ones, by preset, found ones, the demo; or just those on this machine."""
        listed = tuple(self._status(entry) for entry in self._entries.values() if entry.nearby or not nearby)
        return listed if self._demo is None or nearby else (*listed, self._demo_status(self._demo))

    def status(self, name: str) -> ProviderStatus | None:
        """One provider; None for a name that is not registered."""
        entry = self._entries.get(name)
        return None if entry is None else self._status(entry)

    def names(self) -> tuple[str, ...]:
        """The names of all providers, in the order of ``statuses``."""
        return (*self._entries, *(() if self._demo is None else (self._demo.name,)))

    async def refresh(self, *, nearby: bool = False, only: str = "") -> None:
        """Look for local servers and ask those that are configured. Never raises; at most ``REFRESH_TIMEOUT_S``.

        With ``nearby`` nothing but servers on this machine is asked; with ``only`` no other than that one.
        """
        for entry in self._entries.values():
            if entry.endpoint is None:  # its key may be set by now
                self._entries[entry.name] = self._entry(entry.config, entry.origin)
        asking = {
            entry.name: asyncio.create_task(self._update(entry))
            for entry in self._entries.values()
            if (entry.asked and entry.name == only if only else self._asks(entry, nearby=nearby))
        }
        others = () if only in asking else (self._search(), self._ask_demo())
        tasks = {*map(asyncio.create_task, others), *asking.values()}
        try:
            await asyncio.wait(tasks, timeout=REFRESH_TIMEOUT_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for name, task in asking.items():
            if task.cancelled() and not self._entries[name].preset.tells_prices:  # a slow cloud is none that is down
                problem = f"{name} did not answer within {REFRESH_TIMEOUT_S:g} s: is its server running?"
                self._live[name] = gone(self._live.get(name), problem)
        for name, breaker in self._breakers.items():
            if name in self._live and self._live[name].online is Online.ONLINE:
                breaker.seen()

    # --- one model ---------------------------------------------------------------------------------------------------

    def info(self, ref: ModelRef) -> ModelInfo:
        """All that is known of a model; for an unknown provider, what the catalogue knows of one of that name."""
        if self._demo is not None and ref.provider == self._demo.name:
            known = self._demo_status(self._demo).models
            return next((model for model in known if model.ref == ref), ModelInfo(ref=ref, price=FREE))
        entry = self._entries.get(ref.provider)
        if entry is None:
            local = ref.provider in PRESETS and PRESETS[ref.provider].local
            return self._catalogue.facts(ref.provider, ref.model, local=local)
        return self._facts(entry, ref.model)

    def dialect(self, ref: ModelRef) -> str:
        """The wire protocol spoken with a model's provider. Raises ``ProviderConfigError`` like ``provider``."""
        return self.provider(ref).dialect

    def provider(self, ref: ModelRef) -> Provider:
        """The provider of a model, opened once. A server that is down is no error here: the request will tell.

        Raises ``ProviderConfigError`` for a name that does not exist, listing those that do, and for a disabled one.
        """
        if self._demo is not None and ref.provider == self._demo.name:
            return self._demo
        opened = self._opened.get(ref.provider)
        if opened is None:
            endpoint = self._endpoint(ref.provider)
            guarded = GuardedProvider(
                open_provider(endpoint, self._transport, self._log, self._learnt), self._breaker(endpoint)
            )
            opened = TextTools(guarded, lambda model: self.info(ModelRef(provider=ref.provider, model=model)))
            self._opened[ref.provider] = opened
        return opened

    async def probe(self, ref: ModelRef, *, max_tokens: int) -> ToolCalling:
        """Ask a model to call a tool and keep what it does. Only the doctor does this (see ``probed``).

        Raises ``ProviderConfigError`` when the provider cannot be used or its server fails.
        """
        provider = self.provider(ref)
        if not isinstance(provider, TextTools):
            return ToolCalling.UNCLEAR
        found = await provider.probe(ref.model, max_tokens=max_tokens)
        self._probed.add(self._endpoint(ref.provider), ref.model, found)
        return found

    def failing(self, name: str) -> bool:
        """True while a provider is not asked because it kept failing."""
        breaker = self._breakers.get(name)
        return breaker is not None and breaker.state is BreakerState.OPEN

    def id_pattern(self, ref: ModelRef) -> str:
        """The regular expression tool-call ids must match at a model's endpoint; empty where any will do."""
        entry = self._entries.get(ref.provider)
        return "" if entry is None or entry.endpoint is None else entry.endpoint.quirks.tool_call_id_pattern

    def key_variables(self) -> frozenset[str]:
        """Every environment variable that may hold a key: tools must not inherit them."""
        presets = (preset.key_variable for preset in PRESETS.values())
        configured = (entry.config.api_key_env for entry in self._entries.values())
        return frozenset(variable for variable in (*presets, *configured) if variable)

    def default(self) -> ModelRef | None:
        """The model to begin with: the default provider's, else the first ready one's; never the demo's unasked.

        None when nothing is ready yet or nothing exists: ``nothing_available`` says what to do.
        """
        if self._default_provider is not None:
            return self._first_model(self._default_provider)
        for status in self.statuses():
            if status.online in (Online.ONLINE, Online.UNKNOWN) and status.origin is not Origin.DEMO:
                ref = self._first_model(status.name)
                if ref is not None:
                    return ref
        return None

    def nothing_available(self) -> str:
        """The message for ``default() is None``."""
        if self._default_provider is not None and self._default_provider not in self.names():
            return self._unknown(self._default_provider)
        off = [f"{status.name}: {status.problem}" for status in self.statuses() if status.problem]
        return "\n".join([f"No provider available. Configure one in {self._config_file}", *off])

    def resolve(self, text: str) -> ModelRef:
        """The model a person means by ``provider/model``, a model id, or the name of a provider.

        Raises ``ProviderConfigError`` with the nearest names when nothing fits, and when a bare id fits several.
        """
        text = text.strip()
        prefix, _, model = text.partition("/")
        if prefix in self.names() and model:
            return self._listed(ModelRef(provider=prefix, model=model))
        if text in self.names():
            ref = self._first_model(text)
            if ref is None:
                raise ProviderConfigError(f"Provider {text!r} has no model yet: write {text}/MODEL")
            return ref
        refs = [model.ref for status in self.statuses() for model in status.models]
        match [ref for ref in refs if ref.model == text]:
            case [only]:
                return only
            case []:
                pass
            case several:
                raise ProviderConfigError(f"Several providers have {text!r}: choose {choices(map(str, several))}")
        if prefix in PRESETS and model:
            return ModelRef(provider=prefix, model=model)
        hint = did_you_mean(text, [*map(str, refs), *(ref.model for ref in refs)])
        if hint:
            raise ProviderConfigError(f"Unknown model {text!r}.{hint}")
        raise ProviderConfigError(
            self._unknown(prefix)
            if model
            else f"Unknown model {text!r}: write provider/model; `patchbay models` lists all"
        )

    async def aclose(self) -> None:
        """Close every provider that was opened, and the demo."""
        opened = [*self._opened.values(), *(() if self._demo is None else (self._demo,))]
        self._opened.clear()
        await asyncio.gather(*(provider.aclose() for provider in opened))

    # --- registering -------------------------------------------------------------------------------------------------

    def _entry(self, config: ProviderConfig, origin: Origin) -> Entry:
        try:
            preset, endpoint, problem = choose_preset(config), build(config, self._environ), ""
        except ProviderConfigError as error:
            preset = PRESETS.get(config.preset or config.name, PRESETS["custom"])
            endpoint, problem = None, redact(str(error))
        return Entry(config=config, preset=preset, origin=origin, endpoint=endpoint, problem=problem)

    def _breaker(self, endpoint: Endpoint) -> CircuitBreaker:
        """The breaker of an endpoint; it outlives a provider that is closed and opened again."""
        breaker = self._breakers.get(endpoint.name)
        if breaker is None:
            breaker = self._breakers[endpoint.name] = CircuitBreaker(
                cool_down_s=LOCAL_COOL_DOWN_S if endpoint.local else COOL_DOWN_S,
                clock=self._clock,
                on_change=lambda: self.on_change(),
            )
        return breaker

    def _covers(self, preset: str) -> bool:
        """Whether a registered provider already is that service."""
        return any(preset in (entry.name, entry.preset.name) for entry in self._entries.values())

    def _endpoint(self, name: str) -> Endpoint:
        entry = self._entries.get(name)
        if entry is None and name in PRESETS and name != "custom":
            # Named on the command line or in an old session without being listed: it may work all the same.
            entry = self._entry(ProviderConfig(name=name, preset=name), Origin.PRESET)
            if entry.endpoint is not None:
                self._entries[name] = entry
        if entry is None:
            raise ProviderConfigError(self._unknown(name))
        if entry.endpoint is None:
            raise ProviderConfigError(entry.problem)
        return entry.endpoint

    def _unknown(self, name: str) -> str:
        hint = did_you_mean(name, self.names())
        there = f"There are: {', '.join(self.names())}." if self.names() else "None is configured."
        return f"Unknown provider {name!r}.{hint} {there} Configure one in {self._config_file}"

    # --- models ------------------------------------------------------------------------------------------------------

    def _status(self, entry: Entry) -> ProviderStatus:
        breaker = self._breakers.get(entry.name)
        paused = None if breaker is None else breaker.paused_until
        return status_of(entry, self._live.get(entry.name), self._catalogue, self._probed, paused_until=paused)

    def _facts(self, entry: Entry, model: str) -> ModelInfo:
        return model_facts(entry, self._live.get(entry.name), self._catalogue, self._probed, model)

    def _first_model(self, name: str) -> ModelRef | None:
        """A provider's model to begin with: the configured one, else the first it lists."""
        if self._demo is not None and name == self._demo.name:
            return self._demo_status(self._demo).models[0].ref
        entry = self._entries.get(name)
        if entry is None:
            default = PRESETS[name].default_model if name in PRESETS else ""
            return ModelRef(provider=name, model=default) if default else None
        ids = model_ids(entry, self._live.get(name), self._catalogue)
        return ModelRef(provider=name, model=ids[0]) if ids else None

    def _listed(self, ref: ModelRef) -> ModelRef:
        entry = self._entries.get(ref.provider)
        return ref if entry is None else listed(ref, entry, self._live.get(ref.provider), self._catalogue)

    def _demo_status(self, demo: Provider) -> ProviderStatus:
        known = self._live.get(demo.name)
        return demo_status(demo, known.models if known else ())

    # --- asking servers ----------------------------------------------------------------------------------------------

    def _asks(self, entry: Entry, *, nearby: bool) -> bool:
        """Whether a refresh asks a server by itself; what was discovered is asked by the search."""
        if not entry.asked or entry.origin is Origin.DISCOVERED:
            return False
        if not entry.preset.tells_prices:
            return entry.nearby or not nearby
        return not nearby and not answered_since(self._live.get(entry.name), self._clock() - PRICES_KEPT_S)

    async def _update(self, entry: Entry) -> None:
        """Ask a configured server: by its own endpoints when it is local, else for its model list."""
        found = await self._inspected(entry)
        if found is None or (found.problem and entry.endpoint and entry.endpoint.api_key()):
            self._live[entry.name] = await self._listing(entry)  # a refused key is explained there
        else:
            self._live[entry.name] = heard(entry, found, self._clock())

    async def _inspected(self, entry: Entry) -> Discovered | None:
        """What a local server says of itself, asked with the key meant for it; None when it is none we know."""
        endpoint = entry.endpoint
        if endpoint is None or not endpoint.local:
            return None
        return await inspect(
            endpoint.base_url,
            expected=entry.preset.name,
            key=endpoint.api_key(),
            timeout_s=INSPECT_TIMEOUT_S,
            abilities=self._abilities,
            transport=self._transport,
        )

    async def _listing(self, entry: Entry) -> Live:
        try:
            models = await self.provider(ModelRef(provider=entry.name, model="")).list_infos()
        except ProviderConfigError as error:
            return gone(self._live.get(entry.name), redact(str(error)))
        proxy = entry.preset.name == "litellm"
        return Live(online=Online.ONLINE, models=tuple(models), seen=self._clock(), proxy=proxy)

    async def _search(self) -> None:
        """Take up the servers that are found, update those known already, let go of those that went away."""
        found = await self._discover()
        here = {origin(server.base_url) for server in found}
        for entry in self._entries.values():
            if entry.origin is Origin.DISCOVERED and entry.endpoint and origin(entry.endpoint.base_url) not in here:
                problem = f"{entry.name} at {entry.endpoint.base_url} stopped answering: start it again"
                self._live[entry.name] = gone(self._live.get(entry.name), problem)
        known = {origin(entry.endpoint.base_url): entry for entry in self._entries.values() if entry.endpoint}
        for server in found:
            entry = known.get(origin(server.base_url)) or self._discovered(server)
            if entry is None:
                continue
            self._live[entry.name] = heard(entry, server, self._clock())
            if server.problem and entry.endpoint is not None and entry.endpoint.api_key() is not None:
                await self._update(entry)

    def _discovered(self, server: Discovered) -> Entry | None:
        """A new entry for a found server; none when the person configured that kind of server elsewhere."""
        alike = [entry for entry in self._entries.values() if server.preset in (entry.name, entry.preset.name)]
        if any(entry.origin is not Origin.DISCOVERED for entry in alike):
            return None
        name = f"{server.preset}-{origin(server.base_url)[1]}" if alike else server.preset
        config = ProviderConfig(name=name, preset=server.preset, base_url=server.base_url)
        entry = self._entries[name] = self._entry(config, Origin.DISCOVERED)
        return entry

    async def _ask_demo(self) -> None:
        if self._demo is not None:
            told = [await self._demo.model_info(model) for model in await self._demo.list_models()]
            models = tuple(info for info in told if info is not None)
            self._live[self._demo.name] = Live(online=Online.ONLINE, models=models)
