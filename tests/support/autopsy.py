"""What must hold of a session whose process was killed: looked at from the outside, then gone on with."""

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from patchbay.app.cli.opening import Journal, open_journal
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import decode_stamped
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import CallPriced, PromptSubmitted, RequestStarted, SideCallStarted, Stamped
from patchbay.app.engine.history import history
from patchbay.app.engine.repair import repair
from patchbay.app.engine.snapshots import load_session
from patchbay.app.engine.state import AnswerEntry, Phase, Revisions, SessionState, ToolCallPart
from patchbay.app.engine.store import SessionStore
from patchbay.app.paths import find_paths
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import StopReason
from patchbay.providers.handoff import prepare
from patchbay.providers.messages import ChatRequest
from patchbay.tools.events import Outcome
from support.doomed import FOLDER, environment
from support.histories import TARGETS
from support.sessions import cost_of
from support.validators import violations

RESUMED_IN_S = 1.0


class Autopsy:
    """Looks at what one killed process left, and lists what is wrong with it in ``problems``."""

    def __init__(self, home: Path, notes: Path) -> None:
        self.problems: list[str] = []
        self.resumed_s = 0.0
        self.acknowledged = 0
        self.cut = {"answer": 0, "tool": 0, "call": 0, "side call": 0}
        """What was in flight."""
        self.from_snapshot = False
        self._paths = find_paths(environment(str(home)))
        self._notes = notes

    def look(self) -> None:
        """Open, compare, repair, and ask for the next request."""
        promised = self._promised()
        self.acknowledged = len(promised)
        before = self._as_it_lies()
        started, cpu = time.perf_counter(), time.process_time()
        journal = open_journal(self._paths, FOLDER, resume=True)
        self.resumed_s = time.perf_counter() - started
        try:
            # On a machine that is busy with other things only our own part of the time says anything.
            self._must(time.process_time() - cpu < RESUMED_IN_S, f"resumed in {self.resumed_s:.2f} s")
            self._must(not journal.warnings, f"warnings: {journal.warnings}")
            self._check_repaired(before, journal)
            self._check_request(journal.bus.store.state)
        finally:
            journal.close()
        self._check_disk(promised, journal.bus.store.state)

    def _promised(self) -> list[Stamped]:
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return [decode_stamped(json.loads(line)) for line in lines]

    def _as_it_lies(self) -> SessionState:
        """The state before anything is repaired: what was in flight."""
        connection = connect(self._paths.database)
        try:
            row = connection.execute(
                "SELECT id FROM sessions WHERE folder = ? AND title IS NOT NULL ORDER BY updated_at DESC LIMIT 1",
                (FOLDER,),
            ).fetchone()
            if row is None:
                return SessionState()
            loaded = load_session(connection, row[0])
        finally:
            connection.close()
        self.from_snapshot = loaded.snapshot_seq > 0
        self._must(not loaded.problems, f"unreadable: {loaded.problems}")
        return loaded.state

    def _check_repaired(self, before: SessionState, journal: Journal) -> None:
        state = journal.bus.store.state
        self._must(state.phase is Phase.IDLE, f"still {state.phase}")
        self._must(not state.active_runs and not state.approvals, "a run or a question is left open")
        self._must(not state.side_calls, "a side call is left without its ledger row")
        ended = {run.run_id: run for run in state.runs}
        for run in before.active_runs:
            self.cut["tool"] += 1
            after = ended.get(run.run_id)
            self._must(after is not None and after.outcome is Outcome.INTERRUPTED, f"{run.run_id} is not interrupted")
            words = "Not run" if run.waiting else "may or may not"
            self._must(after is not None and words in after.content, f"{run.run_id} does not say {words}")
            self._must(after is not None and str(after.output) == str(run.output), "output of a cut run is lost")
        self._check_calls(before, state)
        if before.answer is not None:
            self.cut["answer"] += 1
            kept = [e for e in state.transcript if isinstance(e, AnswerEntry)]
            mine = [entry for entry in kept if before.answer and entry.request_id == before.answer.request_id]
            self._must(len(mine) == 1 and mine[0].error is not None, "a cut answer is not shown as such")
            self._must(len(mine) == 1 and mine[0].cost is not None, "a cut answer has no price")
        self.cut["side call"] += len(before.side_calls)
        self._must(not repair(journal.bus, cost_of), "what was repaired needs repair again")

    def _check_calls(self, before: SessionState, state: SessionState) -> None:
        """Every call of a whole answer has a result; of those that were not begun only the first may have been."""
        ended = {run.run_id: run for run in state.runs}
        known = {run.run_id for run in (*before.runs, *before.active_runs)}
        fresh: list[str] = []
        for entry in state.transcript:
            if isinstance(entry, AnswerEntry) and entry.error is None and entry.stop_reason is StopReason.TOOL_CALLS:
                calls = [part.run_id for part in entry.parts if isinstance(part, ToolCallPart)]
                self._must(all(run_id in ended for run_id in calls), "a call without a result")
                fresh += [run_id for run_id in calls if run_id in ended and run_id not in known]
        may = [run_id for run_id in fresh if "may or may not" in ended[run_id].content]
        self.cut["call"] += len(fresh)
        self._must(may == fresh[: 0 if before.active_runs else 1], f"{may} of {fresh} may have run")

    def _check_request(self, state: SessionState) -> None:
        """The next request, for every dialect, with one more prompt."""
        bus = MessageBus(SessionStore(state))
        bus.publish(PromptSubmitted(prompt_id="next", text="Go on."))
        messages = history(bus.store.state)
        for target in TARGETS:
            done = prepare(
                messages,
                provider=target.provider,
                dialect=target.dialect,
                model=target.model,
                id_pattern=target.id_pattern,
                continuation=False,
            )
            found = violations(done.messages, target)
            self._must(not found, f"{target.dialect}: {found[:2]}")
            body = _body(target.dialect, ChatRequest(model=target.model, messages=done.messages))
            self._must("Go on." in json.dumps(body), f"{target.dialect}: the prompt is not in the request")

    def _check_disk(self, promised: list[Stamped], state: SessionState) -> None:
        connection = connect(self._paths.database)
        try:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
            self._must(verdict == "ok", f"quick_check: {verdict}")
            for session_id in {each.session_id for each in promised} | {state.session_id}:
                mine = [each for each in promised if each.session_id == session_id]
                self._check_session(connection, session_id, mine)
        finally:
            connection.close()

    def _check_session(self, connection: sqlite3.Connection, session_id: str, promised: list[Stamped]) -> None:
        events, _, problems = load_events(connection, session_id)
        self._must(not problems, f"unreadable rows: {problems}")
        on_disk = {each.seq: each for each in events}
        lost = [each.seq for each in promised if on_disk.get(each.seq) != each]
        self._must(not lost, f"acknowledged and lost: {session_id} {lost}")
        rows = {
            row[0] for row in connection.execute("SELECT request_id FROM calls WHERE session_id = ?", (session_id,))
        }
        sent = {e.event.request_id for e in events if isinstance(e.event, RequestStarted | SideCallStarted)}
        priced = [each.event.request_id for each in events if isinstance(each.event, CallPriced)]
        self._must(sent == rows, f"calls without a ledger row: {sent ^ rows}")
        self._must(len(priced) == len(set(priced)), "a call is priced twice")
        replayed = SessionStore(SessionState(session_id=session_id)).replay(events)
        loaded = load_session(connection, session_id)
        same = replace(loaded.state, revisions=Revisions()) == replace(replayed, revisions=Revisions())
        self._must(same, "a snapshot tells another story than the journal")

    def _must(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def _body(dialect: str, request: ChatRequest) -> Any:
    provider: Any = DIALECTS[dialect](
        Endpoint(name="x", dialect=dialect, base_url="http://127.0.0.1:9/v1", api_key="k")
    )
    return provider.request_body(request)
