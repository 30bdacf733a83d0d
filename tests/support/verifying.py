"""A small project with a failing test and a linter error, and a session with the real tools that works on it."""

import os
import sys
from pathlib import Path

from patchbay.app.checks import configured_checks
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import SessionStarted
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.engine.verify import VerifyRules
from patchbay.providers.scripted import ScriptedProvider, Step, answer, end, text, tool_call
from patchbay.tools.policy import Policy, Rule
from patchbay.tools.toolbox import LocalToolbox
from support.sessions import Providers, Recording, cost_of, model

PYTHON = sys.executable
TESTS = f"{PYTHON} -m unittest -q"
LINT = f"{PYTHON} lint.py"
_FILES = {
    "calc.py": "import os\n\n\ndef add(a, b):\n    return a - b\n",
    "test_calc.py": (
        "import unittest\n\nfrom calc import add\n\n\nclass Adding(unittest.TestCase):\n"
        "    def test_adds(self):\n        self.assertEqual(add(2, 3), 5)\n"
    ),
    "lint.py": (
        "import sys\n\nsource = open('calc.py').read()\n"
        "if 'import os' in source:\n    sys.exit('calc.py:1: F401 os imported but unused')\n"
    ),
}


def sample_project(folder: Path) -> Path:
    """``add`` subtracts, and an import is not used."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _FILES.items():
        (folder / name).write_text(content)
    return folder


def edit(call_id: str, old: str, new: str, said: str) -> list[Step]:
    """Two answers: one that edits ``calc.py``, and one that ends the turn."""
    change = {"path": "calc.py", "edits": [{"old_text": old, "new_text": new}]}
    read = tool_call(f"{call_id}-r", "read", {"path": "calc.py"})
    return [answer(read, tool_call(call_id, "edit", change), end()), answer(text(said), end())]


MEND_TEST = edit("m1", "return a - b", "return a + b", "add adds now.")
MEND_LINT = edit("m2", "import os\n", "", "The import is gone.")


def idle_turn(said: str = "I looked.") -> list[Step]:
    """A turn that changes nothing."""
    return [answer(text(said), end())]


def verify_session(
    base: Path,
    steps: list[Step],
    *,
    checks: tuple[str, ...] = (TESTS, LINT),
    rules: tuple[str, ...] = ("bash:**", "edit:**"),
    rounds: int = 3,
    timeout_s: int = 60,
    auto: bool = False,
) -> tuple[Session, Recording, ScriptedProvider]:
    """A session in ``base/work`` over the sample project, its model following the steps."""
    work = sample_project(base / "work")
    provider = ScriptedProvider("fake", steps)
    bus = MessageBus(SessionStore(SessionState(session_id="s1")))
    recording = Recording(bus)
    found = configured_checks(checks)
    toolbox = LocalToolbox(
        work, Policy([Rule.parse(rule, origin="test") for rule in rules]), state_folder=base / "state"
    )
    parts = Parts(
        directory=Providers(provider),
        toolbox=toolbox,
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
        cost_of=cost_of,
        verify=VerifyRules(find=lambda: found, rounds=rounds, timeout_s=timeout_s, auto=auto),
    )
    session = Session(bus, parts)
    bus.publish(SessionStarted(folder=str(work), version="test"))
    session.select_model(model("fake"), "scripted")
    return session, recording, provider


def running_in(folder: Path) -> list[str]:
    """Processes whose command line or folder is the project's. Process ids in the sandbox are not ours to trust."""
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            if os.readlink(entry / "cwd") == str(folder.resolve()):
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found
