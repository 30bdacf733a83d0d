"""What a turn needs of the outside, as protocols and plain values: the composition root plugs it in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...providers.base import ModelRef, Provider
from ...tools.base import Checkpoints, Toolbox
from ...tools.events import ApprovalRequested, ApprovalResolved
from .budget import BudgetGate
from .compacting import Compacting
from .folder_instructions import FindNested
from .handoff import Prepare
from .ledger import CostOf
from .no_checkpoints import NoCheckpoints
from .recovery import NoRecovery, Recovery

Approve = Callable[[ApprovalRequested], Awaitable[ApprovalResolved]]
"""Puts a question to the person and waits for the answer."""
Stale = Callable[[Mapping[str, str]], Awaitable[tuple[str, ...]]]
"""Which of these files (paths with the digests the model knows) are not like that on disk."""


class Directory(Protocol):
    """Where the runner finds the provider of a model."""

    def provider(self, ref: ModelRef) -> Provider:
        """The provider, ready to stream. Raises ``ProviderConfigError`` with cause and fix."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the composition root plugs into a session's turns."""

    directory: Directory
    toolbox: Toolbox
    prepare: Prepare
    cost_of: CostOf
    approve: Approve
    durable: Callable[[], Awaitable[None]]
    """Waits until everything published so far is on disk."""
    step_limit: int = 50
    recovery: Recovery = field(default_factory=NoRecovery)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    compacting: Compacting = field(default_factory=Compacting)
    stale: Stale | None = None
    nested: FindNested | None = None
    """What sub-folders say of the files a tool touched; None where that does not count."""
    budget: BudgetGate | None = None
    """What every request passes before it is sent; None where there are no budgets."""
