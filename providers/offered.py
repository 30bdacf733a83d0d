"""What a provider offers: its models, what is known of each, and how it stands. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from .base import FREE, ModelInfo, ModelRef, Online, Origin, Provider, ProviderConfigError, ProviderStatus
from .catalogue import Catalogue
from .demo import DEMO_MODEL
from .entries import Entry, Live
from .probed import Probed
from .suggestions import choices, closest


def status_of(
    entry: Entry, live: Live | None, catalogue: Catalogue, probed: Probed, *, paused_until: float | None
) -> ProviderStatus:
    """A provider and its models; ``live`` is what its server said last."""
    endpoint = entry.endpoint
    said = live or Live(online=Online.UNKNOWN)
    online = said.online if endpoint else Online.DISABLED
    return ProviderStatus(
        name=entry.name,
        dialect=endpoint.dialect if endpoint else entry.preset.dialect,
        origin=entry.origin,
        local=entry.local,
        online=online,
        models=tuple(model_facts(entry, live, catalogue, probed, model) for model in model_ids(entry, live, catalogue))
        if endpoint
        else (),
        base_url=endpoint.base_url if endpoint else "",
        problem=entry.problem or said.problem,
        help_url=entry.preset.help_url,
        server=said.server or entry.preset.name,
        last_seen=said.seen if online is Online.OFFLINE else None,
        paused_until=paused_until,
    )


def demo_status(demo: Provider, models: Sequence[ModelInfo]) -> ProviderStatus:
    """The demo, which always answers."""
    plain = ModelInfo(ref=ModelRef(provider=demo.name, model=DEMO_MODEL), tools=True, price=FREE)
    return ProviderStatus(
        name=demo.name,
        dialect=demo.dialect,
        origin=Origin.DEMO,
        local=True,
        online=Online.ONLINE,
        models=tuple(models) or (plain,),
    )


def model_ids(entry: Entry, live: Live | None, catalogue: Catalogue) -> tuple[str, ...]:
    """Without doubles: the person's own, the service's default, what it said, what the catalogue knows."""
    own = ([entry.config.model] if entry.config.model else []) + list(entry.config.models)
    default = [entry.preset.default_model] if entry.preset.default_model and not own else []
    if live is not None and (live.models or live.online is Online.ONLINE):
        said = [model.ref.model for model in live.models]
        return tuple(dict.fromkeys([*own, *(model for model in default if model in said), *said]))
    return tuple(dict.fromkeys([*own, *default, *catalogue.models(entry.table)]))


def model_facts(entry: Entry, live: Live | None, catalogue: Catalogue, probed: Probed, model: str) -> ModelInfo:
    """All that is known of one of its models; what a probe found counts where nobody says."""
    said = next((known for known in live.models if known.ref.model == model), None) if live else None
    local = entry.endpoint is not None and entry.endpoint.local and not (live is not None and live.proxy)
    facts = catalogue.facts(entry.name, model, local=local, table=entry.table, live=said)
    if entry.endpoint is None:
        return facts
    window = catalogue.own_window(entry.name, model) or entry.endpoint.window(
        facts.context_window, loaded=said.context_window if said else None
    )
    tools = probed.tools(entry.endpoint, model) if facts.tools is None else facts.tools
    return replace(facts, context_window=window, tools=tools)


def listed(ref: ModelRef, entry: Entry, live: Live | None, catalogue: Catalogue) -> ModelRef:
    """The reference, unless a local server has listed its models and this is none of them.

    Others may take names they do not list: a proxy's patterns, a cloud's newest model. Raises ``ProviderConfigError``
    with the nearest names.
    """
    if live is None or not live.models or live.proxy or not (entry.endpoint and entry.endpoint.local):
        return ref
    ids = model_ids(entry, live, catalogue)
    for model in (ref.model, f"{ref.model}:latest"):
        if model in ids:
            return replace(ref, model=model)
    close = closest(ref.model, ids) or list(ids[:5])
    raise ProviderConfigError(f"{ref.provider} has no model {ref.model!r}. It has {choices(close)}")
