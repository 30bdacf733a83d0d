"""What a command in the sandbox tries to reach, and what it must still be able to do."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from patchbay.tools.base import Mode
from patchbay.tools.commands import CommandEnd, Commands
from patchbay.tools.events import Decision
from patchbay.tools.launcher import Fence
from patchbay.tools.policy import Policy
from patchbay.tools.sandbox import Kind, Sandbox, SandboxSettings
from patchbay.tools.sandbox_programs import seatbelt
from patchbay.tools.toolbox import LocalToolbox

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox of Linux")
SECRET = "kept-from-commands"


@dataclass
class Place:
    """A home with a workspace, and a way to run commands in it."""

    home: Path
    root: Path
    commands: Commands
    sandbox: Sandbox
    output: bytearray

    def renew(self) -> None:
        """Put every file back as it was at first."""
        for name in os.listdir(self.home):
            path = self.home / name
            if path in (self.root, self.home / ".state"):  # one is where commands run, in the other is their output
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(self.home.parent / "first", self.home, symlinks=True, dirs_exist_ok=True)

    async def run(self, line: str, timeout_s: float = 20) -> CommandEnd:
        self.output.clear()
        return await self.commands.run(line, timeout_s=timeout_s, on_output=self.output.extend)


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder, with modes and content."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        found[os.fspath(path)] = (status.st_mode, content)
    return found


@pytest_asyncio.fixture(params=["namespaces", "landlock alone", "bubblewrap"])
async def place(request, tmp_path: Path) -> AsyncIterator[Place]:
    home, root, state = tmp_path / "home", tmp_path / "home/repo", tmp_path / "home/.state"
    files = {
        home / ".ssh/id_ed25519": SECRET,
        home / ".aws/credentials": SECRET,
        home / ".bashrc": "# home",
        home / "other/file": "outside",
        home / "config/config.toml": SECRET,
        state / "patchbay.db": SECRET,
        root / "inside": "inside",
        root / ".vscode/settings.json": "{}",
        root / ".envrc": "# mine",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "init", "-q", "--template=", os.fspath(root)]
    subprocess.run(git, check=True, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    (root / ".git/hooks").mkdir()
    (root / ".git/hooks/pre-push").write_text("exit 0")
    shutil.copytree(home, tmp_path / "first", symlinks=True)
    environment = {"PATH": os.environ["PATH"], "HOME": os.fspath(home), "LC_ALL": "C.UTF-8"}
    kind = Kind.BUBBLEWRAP if request.param == "bubblewrap" else Kind.LANDLOCK
    if kind is Kind.BUBBLEWRAP and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    sandbox = Sandbox(
        SandboxSettings(private=(home / "config",)),
        root=root,
        state_folder=state,
        environment=environment,
        kind=kind,
        namespaces=request.param == "namespaces",
    )
    commands = Commands(root=root, environment=environment, sandbox=sandbox, output_folder=state / "output")
    made = Place(home, root, commands, sandbox, bytearray())
    try:
        if (await made.run("true")).process.exit_status != 0 or sandbox.namespaces != (request.param == "namespaces"):
            pytest.skip(f"this machine does not allow {request.param}")
        yield made
    finally:
        await commands.aclose()


CHANGES = {
    "write outside": "echo x > ../other/new",
    "append outside": "echo x >> ../other/file",
    "truncate outside": "truncate -s 0 ../other/file",
    "open and cut short": ": > ../other/file",
    "remove outside": "rm -f ../other/file",
    "remove a folder outside": "rm -rf ../other",
    "rename out": "mv inside ../other/moved",
    "rename in": "mv ../other/file taken",
    "rename over": "mv -f inside ../other/file",
    "hard link out": "ln inside ../other/link",
    "hard link in, then write": "ln ../other/file link && echo x > link",
    "link out of the workspace": "ln -s ../../other/file ./link; echo x > link; ln -s ../other d; echo x > d/file",
    "link made outside": "ln -s /etc ../other/etc",
    "chmod outside": "chmod 777 ../other/file",
    "chmod a folder outside": "chmod 700 ../other",
    "make a folder outside": "mkdir ../new",
    "make a fifo outside": "mkfifo ../fifo",
    "make a device": "mknod disk b 8 0; echo x > ../disk",
    "home start file": "echo x >> ~/.bashrc",
    "missing home start file": "echo x > ~/.profile",
    "keys of ssh": "echo x > ~/.ssh/authorized_keys",
    "own settings": "echo x > ~/config/config.toml",
    "missing own settings": "echo x > ~/config/new.toml",
    "own state": "echo x > ~/.state/patchbay.db",
    "journal beside own state": "echo x > ~/.state/patchbay.db-journal",
    "through the root of proc": "echo x > /proc/self/root$HOME/other/file",
    "through the cwd of proc": "echo x > /proc/self/cwd/../other/file",
    "through an open descriptor": "exec 9< ../other/file; echo x > /proc/self/fd/9",
    "mount over": "mount --bind . ../other && echo x > ../other/new; umount ../other",
    "remount": "mount -o remount,rw /; mount -o remount,rw,bind $HOME; echo x > ../other/file",
    "namespaces again": "unshare -Urm bash -c 'mount -o remount,rw,bind $HOME; echo x > $HOME/other/file'",
    "unmount": "umount -l . ; umount -l $HOME/.ssh; echo x > ~/.ssh/new",
    "chroot through proc": "chroot /proc/1/root sh -c \"echo x > $HOME/other/file\"",
    "root of the first process": "echo x > /proc/1/root$HOME/other/file",
    "from behind": "(setsid bash -c 'sleep 0.1; echo x > ../other/new' &) ; sleep 0.3",
    "git hook": "echo x > .git/hooks/post-commit",
    "git settings": "git config core.pager x; echo x >> .git/config",
    "settings of an editor": "echo x > .vscode/settings.json",
    "missing tasks of an editor": "echo x > .vscode/tasks.json",
    "moved folder of an editor": "mv .vscode old && mkdir .vscode && echo x > .vscode/tasks.json",
    "moved git folder": "mv .git old.git && mkdir -p .git/hooks && echo x > .git/hooks/pre-commit",
    "start file in the workspace": "echo x > .envrc; rm -f .envrc",
    "missing start file in the workspace": "echo x > .bashrc",
    "rename over a protected name": "mv -f inside .envrc",
    "hard link to a protected name": "ln .envrc link && echo x > link; rm -f link",
}  # fmt: skip


MODES = {"chmod outside", "chmod a folder outside"}
"""What Landlock has no right for; see docs/sandbox.md."""


@linux
async def test_nothing_outside_and_no_protected_name_changes(place: Place) -> None:
    root, taken = f"{place.root}/", f"{place.home}/.state/taken"
    protected = tuple(root + name for name in (".vscode", ".envrc", ".bashrc", ".git/hooks", ".git/config"))

    def seen() -> dict[str, tuple[int, bytes]]:
        states = {path: state for path, state in state_of(place.home).items() if not path.startswith(taken)}
        return {
            path: state for path, state in states.items() if not path.startswith(root) or path.startswith(protected)
        }

    escapes: list[str] = []
    for name, line in CHANGES.items():
        if name in MODES and place.sandbox.kind is Kind.LANDLOCK and not place.sandbox.namespaces:
            continue
        place.renew()
        before = seen()
        await place.run(line)
        escapes += [f"{name}: {path}" for path, _ in before.items() ^ seen().items()]
    assert escapes == []


READS = {
    "keys of ssh": "cat ~/.ssh/id_ed25519",
    "passwords": "cat /etc/shadow /etc/gshadow",
    "keys of a cloud": "cat ~/.aws/credentials",
    "own settings": "cat ~/config/config.toml",
    "own state": "cat ~/.state/patchbay.db",
    "own state by copy": "cp ~/.state/patchbay.db copy; cat copy",
    "own state by link": "ln ~/.state/patchbay.db copy; cat copy",
    "keys by link": "ln -s ~/.ssh d; cat d/id_ed25519",
    "keys by proc": "cat /proc/self/root$HOME/.ssh/id_ed25519",
    "keys by the first process": "cat /proc/1/root$HOME/.ssh/id_ed25519",
    "keys below a mount": "umount $HOME/.ssh; cat ~/.ssh/id_ed25519",
    "keys in namespaces again": "unshare -Urm bash -c 'umount $HOME/.ssh; cat ~/.ssh/id_ed25519'",
    "keys by moving": "mv ~/.ssh moved; cat moved/id_ed25519",
}


@linux
async def test_secrets_cannot_be_read(place: Place) -> None:
    read: list[str] = []
    for name, line in READS.items():
        await place.run(line)
        if SECRET.encode() in place.output or b"root:" in place.output:
            read.append(name)
    assert read == []


@linux
@pytest.mark.parametrize("family", ["tcp", "udp"])
async def test_no_server_of_this_machine_is_reached(place: Place, family: str) -> None:
    kind = socket.SOCK_STREAM if family == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if family == "tcp":
            server.listen()
        server.setblocking(False)
        await place.run(f"timeout 3 bash -c 'echo x > /dev/{family}/127.0.0.1/{server.getsockname()[1]}'")
        with pytest.raises(BlockingIOError):
            _ = server.accept() if family == "tcp" else server.recv(10)


@linux
async def test_names_are_not_looked_up(place: Place) -> None:
    line = 'import socket\ntry: print(socket.getaddrinfo("example.org", 80))\nexcept OSError: print("no name")'
    await place.run(f"timeout 5 python3 -c '{line}'")
    assert b"no name" in place.output or not place.output


@linux
async def test_abstract_sockets_signals_and_tracing_stay_inside(place: Place) -> None:
    name = f"patchbay-{os.urandom(6).hex()}"
    victim = subprocess.Popen(["sleep", "60"])
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("\0" + name)
            server.listen()
            server.setblocking(False)
            connect = f'import socket; socket.socket(socket.AF_UNIX).connect("\\0{name}")'
            await place.run(f"python3 -c '{connect}'; kill -9 {victim.pid}; cat /proc/{victim.pid}/environ | wc -c")
            with pytest.raises(BlockingIOError):
                server.accept()
        assert victim.poll() is None
        attach = f"import ctypes; print(ctypes.CDLL(None).ptrace(16, {victim.pid}, 0, 0))"
        await place.run(f"python3 -c '{attach}'")
        assert place.output.strip() == b"-1"
    finally:
        victim.kill()
        victim.wait()


WORK = {
    "commit": "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log --oneline | wc -l",
    "repository below": "git init -q s && cd s && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
    "python": "python3 -c 'open(\"new\", \"w\").write(\"x\")' && test -s new",
    "virtual environment": "python3 -m venv --without-pip env && env/bin/python -c 'import json'",
    "temporary files": 'touch "$TMPDIR/x" && t=$(mktemp) && echo x > "$t" && test -s "$t"',
    "devices": "echo x > /dev/null && head -c 4 /dev/urandom > random && test -s random",
    "changes": "mkdir -p a/b && mv inside a/b/c && chmod 600 a/b/c && ln a/b/c l && ln -s l s && rm -rf a && cat s",
    "processes": "for n in 1 2 3; do (echo $n) & done | sort | tail -1; wait",
}  # fmt: skip


@linux
async def test_ordinary_work_goes_on(place: Place) -> None:
    failed: list[str] = []
    for name, line in WORK.items():
        place.renew()
        end = await place.run(line)
        if end.process.exit_status != 0 or end.undone:
            failed.append(f"{name}: {place.output.decode()} {end.undone}")
    assert failed == []


async def test_a_blocked_command_is_asked_about_loudly_and_runs_outside_on_yes(tmp_path: Path, make_bench) -> None:
    bench = make_bench("bash:**")
    if bench.toolbox.protection() == "no sandbox":
        pytest.skip("there is no sandbox here")
    outside = tmp_path / "outside"
    try:
        bench.answer = Decision.DENY
        result = await bench.run("bash", command=f'python3 -c \'open("{outside}", "w")\'')
        asked = [question for question in bench.asked if question.approval_id.endswith(":beyond")]
        if not asked:
            pytest.skip("refused before it ran: " + result.summary)
        assert [question.confirm for question in asked] == ["outside"]
        assert "declined" in result.content and not outside.exists()
        bench.answer = Decision.ONCE
        result = await bench.run("bash", command=f'python3 -c \'open("{outside}", "w")\'')
        assert "Run outside the sandbox." in result.content and outside.exists()
    finally:
        await bench.toolbox.aclose()


def test_without_a_sandbox_auto_is_refused(tmp_path: Path) -> None:
    toolbox = LocalToolbox(
        tmp_path, Policy([]), state_folder=tmp_path / "state", sandbox=SandboxSettings(enabled=False)
    )
    assert toolbox.protection() == "no sandbox"
    assert "switched off" in toolbox.select_mode(Mode.AUTO)
    assert toolbox.select_mode(Mode.ACCEPT_EDITS) == ""


@pytest.mark.parametrize(
    ("kind", "network", "layers", "badge"),
    [
        (Kind.BUBBLEWRAP, False, None, "bubblewrap"),
        (Kind.LANDLOCK, False, None, "landlock"),
        (Kind.LANDLOCK, False, frozenset({"landlock", "no-network"}), "landlock"),
        (Kind.LANDLOCK, False, frozenset({"landlock"}), "landlock, net open"),
        (Kind.LANDLOCK, True, None, "landlock, net open"),
        (Kind.SEATBELT, False, None, "seatbelt"),
        (Kind.NONE, True, None, "no sandbox"),
    ],
)
def test_badge(kind: Kind, network: bool, layers: frozenset[str] | None, badge: str, tmp_path: Path) -> None:
    settings = SandboxSettings(network=network)
    sandbox = Sandbox(settings, root=tmp_path, state_folder=tmp_path, environment={}, kind=kind)
    sandbox.layers = layers
    assert sandbox.badge() == badge


def test_the_profile_of_seatbelt_refuses_and_then_excepts() -> None:
    fence = Fence(
        writable=('/w"s\\',),
        temporary="/t",
        readable=(),
        protected=("/w/.git/hooks",),
        anchors=("/w/.git",),
        hidden=("/home/.ssh",),
        network=False,
    )
    lines = seatbelt(fence, missing=["^/w/[.]envrc$"]).splitlines()
    assert lines[:3] == ["(version 1)", "(allow default)", "(deny file-write*)"]
    assert '(allow file-write* (subpath "/w\\"s\\\\"))' in lines
    after = lines.index('(allow file-write* (subpath "/w\\"s\\\\"))')
    for later in (
        '(deny file-write* (subpath "/w/.git/hooks"))',
        '(deny file-write* (regex #"^/w/[.]envrc$"))',
        '(deny file-write-unlink (literal "/w/.git"))',
        '(deny file-read* file-write* (subpath "/home/.ssh"))',
        "(deny network*)",
    ):
        assert lines.index(later) > after
    assert seatbelt(fence).count("(") == seatbelt(fence).count(")")
