"""The composition root: the one place where concrete providers and tools meet the engine.

Everything that is plugged in here arrives as a plain value or a protocol on the other side, so that neither
the engine nor a pane ever knows a dialect, an HTTP client or a tool class.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

from ...providers.base import ModelRef
from ...providers.catalogue import Catalogue
from ...providers.demo import create_sample, demo_provider
from ...providers.directory import ProviderDirectory
from ...providers.exchanges import ExchangeLog
from ...providers.handoff import prepare
from ...providers.learnt import Learnt
from ...providers.messages import Message
from ...providers.pricing import cost_of
from ...providers.probed import Probed
from ...providers.resilience import Resilience
from ...tools.base import Mode
from ...tools.checkpoints import SessionCheckpoints
from ...tools.confinement import Confinement, Trust
from ...tools.freshness import Freshness
from ...tools.policy import Policy
from ...tools.sandbox import SandboxSettings
from ...tools.toolbox import LocalToolbox
from ..engine.compacting import Compacting
from ..engine.drafts import waiting_words
from ..engine.events import NoticeLevel
from ..engine.handoff import Prepare, Prepared
from ..engine.ledger_reader import open_ledger
from ..engine.session import Parts, Session
from ..engine.state import NoticeEntry, SessionState
from ..kept_catalogue import refreshed_file
from ..kept_keys import with_kept_keys
from ..kept_lessons import PROBES_FILE, KeptLessons, KeptProbes
from ..kept_rules import KeptRules
from ..nested_instructions import NestedInstructions
from ..pasted_images import PastedImages
from ..paths import find_paths
from ..rules_file import gathered_rules
from ..settings import Settings, SettingsError
from ..trust import FolderTrust, Standing
from .attaching import PersonAttaching
from .budgets import set_budgets, spending_of_others
from .checking import verify_rules
from .instructing import follow_trust
from .observing import Observing
from .opening import open_journal
from .pasting import ClipboardPasting, find_pasted
from .retention import Retention
from .runtime import Runtime
from .session_shelf import SessionShelf
from .titling import title_writer

_LATELY = 100
"""Entries at the end of a conversation that a person can be taken to have seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    folder: Path
    model: str | None = None
    resume: bool = False
    session: str | None = None
    """The id of the session to go on with, or its beginning."""
    demo: bool = False
    allow: tuple[str, ...] = ()
    """Further rules for tools that run unasked, for this session only."""
    demo_tokens_per_second: float | None = None
    record: Path | None = None
    """Where every exchange with a provider is written to."""
    trust: FolderTrust | None = None
    """How the folder stands; None when nothing is known of it: nobody is asked, and nothing of it counts."""
    titles: bool = False
    """Whether a model may write the session's title (setting ``title_model``)."""
    max_cost: Decimal | None = None
    """What this session may cost, in USD; None leaves it to the settings."""


def open_runtime(settings: Settings, wish: Wish, environ: Mapping[str, str] = os.environ) -> Runtime:
    """Put a session together.

    Raises ``DatabaseError`` when nothing can be saved, ``SettingsError`` when nothing can be recorded, with cause and
    fix.

    A model is chosen by ``Runtime.choose`` or ``Runtime.refresh``: servers on this machine are only known after
    the latter.
    """
    paths = find_paths(environ)
    lessons = KeptLessons(paths.state_folder / "lessons.json")
    log = _open_log(wish.record)
    folder = create_sample(Path(tempfile.mkdtemp(prefix="patchbay-demo-"))) if wish.demo else wish.folder.resolve()
    speed = wish.demo_tokens_per_second
    demo = demo_provider() if speed is None else demo_provider(tokens_per_second=speed)
    catalogue = Catalogue(settings.prices(), windows=settings.context_windows, refreshed=refreshed_file(paths))
    directory = ProviderDirectory(
        settings.provider_configs(),
        with_kept_keys(environ, paths),
        catalogue,
        default_provider=settings.start_provider(),
        demo=demo,
        config_file=str(settings.config_file),
        learnt=Learnt(lessons.read(), keep=lessons.add),
        probed=Probed(KeptProbes(paths.state_folder / PROBES_FILE).read()),
        log=log,
    )
    journal = open_journal(paths, str(folder), resume=wish.resume, session=wish.session)
    session_id = journal.bus.store.state.session_id
    ledger = open_ledger(journal.bus, paths.database, journal.recorder, str(folder))
    checkpoints = SessionCheckpoints(paths.state_folder / "checkpoints", folder, session_id)
    toolbox = LocalToolbox(
        folder,
        _policy(settings, wish, KeptRules(paths.state_folder / "always.json", folder)),
        state_folder=paths.state_folder,
        secret_variables=directory.key_variables(),
        sandbox=_sandbox(settings),
        checkpoints=checkpoints,
        confinement=Confinement(_trust(wish), given=wish.allow),
    )
    parts = Parts(
        directory=directory,
        toolbox=toolbox,
        prepare=_prepare_with(directory),
        cost_of=cost_of,
        step_limit=settings.step_limit,
        durable=journal.recorder.durable,
        recovery=Resilience(directory, asyncio.sleep, chain=settings.fallback_chain()),
        checkpoints=checkpoints,
        verify=verify_rules(settings, folder),
        stale=Freshness(folder).stale,
        compacting=Compacting(auto=settings.auto_compact, at=settings.compact_at),
        run_own=toolbox.for_person.run,
        nested=NestedInstructions(folder, None if wish.demo else wish.trust).find,
        read_spending=spending_of_others(paths.database, session_id),
    )
    session = Session(journal.bus, parts)
    images = PastedImages(paths.images)
    set_budgets(session, settings.budget, max_cost=wish.max_cost)
    observing = Observing()
    observing.begin(settings, journal.bus, paths, environ)
    _select_mode(session, settings.mode)
    follow_trust(session, None if wish.demo else wish.trust, environ, confine=lambda: toolbox.confine(_trust(wish)))
    runtime = Runtime(
        session=session,
        directory=directory,
        settings=settings,
        paths=paths,
        demo=wish.demo,
        toolbox=toolbox,
        journal=journal,
        catalogue=catalogue,
        ledger=ledger,
        exchanges=log,
        observing=observing,
        wished=wish.model or _resumed_model(session.state),
        trust=None if wish.demo else wish.trust,
        sessions=SessionShelf(paths, lambda: session.state, Retention.of(settings)),
        attaching=PersonAttaching(toolbox.for_person, partial(find_pasted, images)),
        pasting=ClipboardPasting(images, environ, sys.platform),
        titles=title_writer(session, directory, paths, settings.title_model if wish.titles else None),
    )
    runtime.list_providers()
    directory.on_change = runtime.list_providers
    log.on_problem = partial(session.notice, level=NoticeLevel.WARNING)
    problems = [catalogue.problem] if catalogue.problem else []
    said = _said_lately(session.state)
    for warning in (*journal.warnings, *(each for each in (*settings.warnings, *problems) if each not in said)):
        session.notice(warning, NoticeLevel.WARNING)
    if waiting := len(session.state.queued):
        session.notice(waiting_words(waiting), NoticeLevel.WARNING)
    return runtime


def _said_lately(state: SessionState) -> frozenset[str]:
    """The notices near the end of a resumed conversation: what stays as it was need not be said with every start."""
    return frozenset(entry.message for entry in state.transcript[-_LATELY:] if isinstance(entry, NoticeEntry))


def _select_mode(session: Session, wished: Mode) -> None:
    """Begin in the mode wished for; one that cannot be had here is said and the person is asked instead.

    Also tells the session what protects it, so that the bar is true from the first frame.
    """
    problem = session.select_mode(wished)
    if problem:
        session.select_mode(Mode.ASK)
        session.notice(f"Mode {wished} cannot be chosen: {problem} Mode {Mode.ASK} holds.", NoticeLevel.WARNING)


def open_toolbox(
    settings: Settings, folder: Path, *, allow: tuple[str, ...] = (), confined: bool = False
) -> LocalToolbox:
    """The tools without a session, for one call by hand. Raises ``SettingsError`` for a rule that cannot be read."""
    paths = find_paths(os.environ)
    wish = Wish(folder=folder, allow=allow)
    return LocalToolbox(
        folder,
        _policy(settings, wish, KeptRules(paths.state_folder / "always.json", folder)),
        state_folder=paths.state_folder,
        secret_variables=ProviderDirectory(settings.provider_configs(), os.environ, Catalogue({})).key_variables(),
        sandbox=_sandbox(settings),
        confined=confined,
    )


def _sandbox(settings: Settings) -> SandboxSettings:
    """What the person wants of the sandbox; the settings themselves, which may hold keys, stay out of it."""
    table = settings.sandbox
    return SandboxSettings(
        enabled=table.enabled,
        network=table.network,
        writable=table.writable,
        private=(settings.config_file,),
    )


def _trust(wish: Wish) -> Trust:
    """What tools are told of the folder. The demo's is our own."""
    if wish.demo:
        return Trust.FULL
    match wish.trust.standing if wish.trust is not None else Standing.PLAIN:
        case Standing.TRUSTED | Standing.SESSION:
            return Trust.FULL
        case Standing.PLAIN:
            return Trust.FIRST_ASKS
        case Standing.UNTRUSTED:
            return Trust.NONE


def _open_log(folder: Path | None) -> ExchangeLog:
    """Where exchanges are kept. Raises ``SettingsError`` when they cannot be written."""
    try:
        return ExchangeLog(folder)
    except OSError as problem:
        reason = problem.strerror or problem
        raise SettingsError(f"--record {folder}: {reason}. Name a folder that can be written to.") from None


def _policy(settings: Settings, wish: Wish, kept: KeptRules) -> Policy:
    """The rules in force, each with where it comes from. Raises ``SettingsError`` for one that cannot be read."""
    return Policy(gathered_rules(settings, kept, wish.allow), remember=kept.add)


def _resumed_model(state: SessionState) -> str | None:
    return None if state.model is None else str(state.model.ref)


def _prepare_with(directory: ProviderDirectory) -> Prepare:
    """Hand-off for whatever model comes next, with the id rules of its endpoint."""

    def prepare_for(messages: tuple[Message, ...], ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
        done = prepare(
            messages,
            provider=ref.provider,
            dialect=dialect,
            model=ref.model,
            id_pattern=directory.id_pattern(ref),
            continuation=continuation,
        )
        return Prepared(messages=done.messages, changes=done.changes)

    return prepare_for
