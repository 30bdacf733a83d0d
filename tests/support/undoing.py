"""Seeded sequences of edits and commands in a folder, then undo all and redo all; what was wrong afterwards."""

import asyncio
import os
import random
import shlex
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchbay.tools.checkpoints import SessionCheckpoints
from patchbay.tools.events import ApprovalRequested, ApprovalResolved, Decision, Fate, Outcome
from patchbay.tools.policy import Policy
from patchbay.tools.toolbox import LocalToolbox

NAMES = ["a.txt", "b.py", "ünïcode-日本.txt", "with space.md", "empty", "data.bin", "-dash", "new\nline", "c'quote"]
FOLDERS = ["", "src", "src/deep/er", "docs", "öder"]

IGNORED = "debug.log"
"""In some folders git ignores it, so that undo does not cover it."""

Tree = dict[str, tuple[Any, ...]]


def tree(root: Path) -> Tree:
    """Everything below a folder but ``.git``: kind, mode and content or target of each path."""
    found: Tree = {}
    for base, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in [*folders, *files]:
            path = Path(base) / name
            status = path.lstat()
            key = str(path.relative_to(root))
            if name == IGNORED:
                continue
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("folder", stat.S_IMODE(status.st_mode))
            else:
                found[key] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
    return found


async def yes(question: ApprovalRequested) -> ApprovalResolved:
    return ApprovalResolved(approval_id=question.approval_id, run_id=question.run_id, decision=Decision.ONCE)


@dataclass
class Folder:
    """A workspace with a toolbox and its checkpoints; ``reopen`` stands for another process."""

    base: Path
    session: str = "s"
    count: int = 0
    turn: int = 0
    events: list[Any] = field(default_factory=list)
    limits: Any = None

    def __post_init__(self) -> None:
        self.root = self.base / "work"
        self.root.mkdir(parents=True, exist_ok=True)
        self.reopen()

    def reopen(self) -> None:
        self.checkpoints = SessionCheckpoints(self.base / "store", self.root, self.session, limits=self.limits)
        self.toolbox = LocalToolbox(
            self.root,
            Policy([]),
            state_folder=self.base / "state",
            environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.base)},
            checkpoints=self.checkpoints,
        )

    async def prompt(self) -> str:
        """A new turn with a prompt of its own; returns the prompt's id."""
        self.turn += 1
        await self.checkpoints.begin(turn_id=f"t{self.turn}", prompt_id=f"p{self.turn}")
        return f"p{self.turn}"

    async def run(self, name: str, **arguments: Any):
        self.count += 1
        return await self.toolbox.run(
            run_id=f"r{self.count}", name=name, arguments=arguments, emit=self.events.append, approve=yes
        )

    async def changed(self) -> bool:
        """Whether the tools of this turn changed anything (and be it back and forth)."""
        return (await self.checkpoints.changed_since())[f"p{self.turn}"] > 0

    async def bash(self, command: str):
        return await self.run("bash", command=command)


@dataclass
class Run:
    """One sequence and what was wrong with it."""

    seed: int
    steps: int = 0
    undone: int = 0
    problems: list[str] = field(default_factory=list)


def play(seed: int, base: Path) -> Run:
    """One seeded sequence."""
    return asyncio.run(_play(seed, base))


async def _play(seed: int, base: Path) -> Run:
    chance = random.Random(seed)
    run = Run(seed)
    folder = Folder(base)
    _populate(folder.root, chance, git=chance.random() < 0.4)
    states: list[Tree] = [tree(folder.root)]
    for _ in range(chance.randrange(2, 6)):
        await folder.prompt()
        for _ in range(chance.randrange(1, 5)):
            await _step(folder, chance)
            run.steps += 1
        if await folder.changed():
            states.append(tree(folder.root))
        if chance.random() < 0.3:
            folder.reopen()
    await _back_and_forth(folder, states, chance, run)
    return run


async def _back_and_forth(folder: Folder, states: list[Tree], chance: random.Random, run: Run) -> None:
    for _ in range(2):
        for position in range(len(states) - 2, -1, -1):
            await _once(folder, "undo", states[position], run)
        for position in range(1, len(states)):
            await _once(folder, "redo", states[position], run)
        if chance.random() < 0.5:
            folder.reopen()


async def _once(folder: Folder, what: str, expected: Tree, run: Run) -> None:
    done = await (folder.checkpoints.undo() if what == "undo" else folder.checkpoints.redo())
    run.undone += 1
    if done is None:
        run.problems.append(f"nothing to {what}")
        return
    await folder.checkpoints.settle(done.restore_id)
    left = [file for file in done.files if file.fate is not Fate.RESTORED and file.path != IGNORED]
    run.problems += [f"{what} {file.path!r}: {file.why}" for file in left]
    now = tree(folder.root)
    for path in sorted(now.keys() | expected.keys()):
        if now.get(path) != expected.get(path):
            run.problems.append(f"{what} {path!r}: {_short(now.get(path))}, not {_short(expected.get(path))}")


def _short(value: Any) -> str:
    return repr(value)[:80]


def _populate(root: Path, chance: random.Random, *, git: bool) -> None:
    if git:
        (root / ".git").mkdir()
        (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (root / ".gitignore").write_text("*.log\n")
    for _ in range(chance.randrange(3, 9)):
        path = root / chance.choice(FOLDERS) / chance.choice(NAMES)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(chance))
        path.chmod(chance.choice((0o644, 0o600, 0o755, 0o664)))


def _content(chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return b""
    if kind == 1:
        return chance.randbytes(chance.randrange(1, 3000))
    lines = [f"line {chance.randrange(1000)}" for _ in range(chance.randrange(1, 30))]
    return ("\r\n" if kind == 2 else "\n").join(lines).encode() + b"\n"


def _files(root: Path) -> list[str]:
    return sorted(key for key, value in tree(root).items() if value[0] == "file" and key != ".gitignore")


async def _step(folder: Folder, chance: random.Random) -> None:
    files = _files(folder.root)
    some = chance.choice(files) if files else "a.txt"
    new = os.path.join(chance.choice(FOLDERS), f"{chance.randrange(50)}-{chance.choice(NAMES)}")
    kind = chance.randrange(4)
    if kind == 0 and "\n" not in new:
        await folder.run("write", path=new, content=_text(chance))
    elif kind == 1 and "\n" not in some:
        await folder.run("read", path=some)
        await folder.run("write", path=some, content=_text(chance))
    elif kind == 2 and "\n" not in some:
        await folder.run("read", path=some)
        old = (folder.root / some).read_bytes().decode("utf-8", "replace").splitlines() if files else []
        if old and old[0]:
            await folder.run("edit", path=some, edits=[{"old_text": old[0], "new_text": _text(chance)[:40]}])
    else:
        commands = [_command(folder.root, chance, some, new) for _ in range(chance.randrange(1, 4))]
        result = await folder.bash("; ".join(commands))
        assert result.outcome in (Outcome.OK, Outcome.ERROR), result


def _text(chance: random.Random) -> str:
    return "".join(f"text {chance.randrange(10_000)}\n" for _ in range(chance.randrange(0, 20)))


def _command(root: Path, chance: random.Random, some: str, new: str) -> str:
    a, b = shlex.quote(f"./{some}"), shlex.quote(f"./{new}")
    parent = shlex.quote(f"./{os.path.dirname(new)}")
    folder = chance.choice([name for name in ("src", "docs", "öder") if (root / name).is_dir()] or ["none"])
    return chance.choice(
        (
            f"mkdir -p {parent} && printf 'made %s\\n' {chance.randrange(99)} > {b}",
            f"mkdir -p {parent} && head -c {chance.randrange(5000)} /dev/urandom > {b}",
            f"rm -f {a}",
            f"mkdir -p {parent} && mv {a} {b}",
            f"chmod {chance.choice(('600', '755', '444', '640'))} {a}",
            f"mkdir -p {parent} && ln -s {shlex.quote(chance.choice((some, 'nowhere', '/etc/hostname')))} {b}",
            f"mkdir -p {parent} && ln {a} {b} && echo more >> {a}",
            f"ln -sfn docs {shlex.quote('latest')}",
            f"rm -rf {folder}",
            f"mv {folder} {folder}-moved",
            f"rm -rf {folder} && echo now-a-file > {folder}",
            f"rm -f {a} && mkdir -p {a}/inner && touch {a}/inner/x",
            f": > {a}",
            f"mkdir -p {shlex.quote(f'hollow/{chance.randrange(9)}')}",
            f"chmod {chance.choice(('700', '750', '555'))} {folder}",
            f"sed -i s/line/LINE/ {a}",
            f"cp -a {a} {b}",
            "touch debug.log; true",
        )
    )
