"""How models call tools, as probes found it: kept by endpoint and model, and used where nobody else knows.

Only ``patchbay doctor`` probes. A probe when a model is chosen would hold the only slot of a slow local server, just
when the person's first prompt wants it; so the application uses what the doctor found last, and what a server or the
catalogue says of a model goes before it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .capability import ToolCalling
from .endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedModel:
    """What a probe found of a model at an endpoint."""

    base_url: str
    dialect: str
    model: str
    tools: ToolCalling


class Probed:
    """The findings of all endpoints, the last of a model counting. ``keep`` is told each new one."""

    def __init__(self, known: Iterable[ProbedModel] = (), keep: Callable[[ProbedModel], None] | None = None) -> None:
        self._found = {_key(each): each.tools for each in known}
        self._keep = keep

    def tools(self, endpoint: Endpoint, model: str) -> bool | None:
        """Whether a model calls tools by the protocol, for ``ModelInfo.tools``; None when no probe told."""
        match self._found.get((endpoint.base_url, endpoint.dialect, model)):
            case ToolCalling.NATIVE:
                return True
            case ToolCalling.TEXT | ToolCalling.NONE:
                return False
            case _:
                return None

    def add(self, endpoint: Endpoint, model: str, tools: ToolCalling) -> None:
        """Take up a finding in place of the one before; an unclear one teaches nothing."""
        if tools is ToolCalling.UNCLEAR:
            return
        found = ProbedModel(base_url=endpoint.base_url, dialect=endpoint.dialect, model=model, tools=tools)
        self._found[_key(found)] = tools
        if self._keep is not None:
            self._keep(found)


def _key(found: ProbedModel) -> tuple[str, str, str]:
    return found.base_url, found.dialect, found.model
