"""What another model would mean for a session: does it fit, what is lost, what does the next request cost. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ...providers.base import ModelInfo
from ...providers.messages import Effort
from .attached import IMAGES_LEFT_OUT
from .budget import pending, verdict
from .budget_events import BudgetReached
from .events import AttachmentKind
from .forecast import Forecast, forecast
from .ledger import CostOf
from .request_builder import BuiltRequest
from .state import PromptEntry, SessionState

Build = Callable[[ModelInfo, str], BuiltRequest]
"""The next request as a model of a dialect would get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A model as the one that answers next."""

    model: ModelInfo
    plan: Forecast
    now: Forecast | None
    """The same request with the model that answers now; None when that is this one, or there is none."""
    lost: tuple[str, ...]
    """What of the session this model does not get or cannot do, in a few words each."""
    over: BudgetReached | None
    """What stands in the way of its next request."""

    @property
    def fits(self) -> bool | None:
        """Whether the next request fits its window; None when the window is unknown."""
        window = self.model.context_window
        return None if window is None else self.plan.input_tokens < window

    @property
    def cache_lost(self) -> bool:
        """Whether tokens that are cached now have to be read anew."""
        return self.now is not None and self.now.cached_tokens > self.plan.cached_tokens


def preview(
    state: SessionState,
    model: ModelInfo,
    dialect: str,
    *,
    build: Build,
    cost_of: CostOf,
    now: float,
    rate: float | None = None,
) -> Preview:
    """Of a model whose provider speaks ``dialect``, at ``now`` (epoch seconds). Takes as long as building a request.

    ``rate`` is how its server counts (see ``forecast``).
    """
    built = build(model, dialect)
    plan = forecast(state, model, built.weight, cost_of, now=now, dialect=dialect, rate=rate)
    present, known = None, built.changes
    if state.model is not None and state.model.ref != model.ref:
        same = build(state.model, state.dialect)
        present, known = forecast(state, state.model, same.weight, cost_of, now=now), same.changes
    coming = pending(state, cost_of, now=now) if state.budget.limits else Decimal(0)
    return Preview(
        model=model,
        plan=plan,
        now=present,
        lost=(*_lost(state, model), *(each for each in built.changes if each not in known and not _of_images(each))),
        over=verdict(state, model, plan, pending=coming),
    )


def _lost(state: SessionState, model: ModelInfo) -> list[str]:
    """What the model cannot do that this session makes use of."""
    before, lost = state.model, list[str]()
    prompts = (entry for entry in state.transcript if isinstance(entry, PromptEntry))
    images = sum(each.kind is AttachmentKind.IMAGE for entry in prompts for each in entry.attachments)
    if images and model.vision is False:
        lost.append(f"{images} image{'' if images == 1 else 's'} it cannot see")
    elif model.vision is False and before is not None and before.vision:
        lost.append("images")
    if model.tools is False:
        lost.append("tool calling (tools are described in the prompt)")
    if model.thinking is False and before is not None and before.thinking:
        lost.append("thinking")
    if model.thinking is False and state.effort not in (Effort.DEFAULT, Effort.OFF):
        lost.append(f"effort {state.effort}")
    return lost


def _of_images(change: str) -> bool:
    """Whether a change is that images go, which is said with their number."""
    return change.startswith(IMAGES_LEFT_OUT)
