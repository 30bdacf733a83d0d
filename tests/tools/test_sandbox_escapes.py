"""What a command in the sandbox must not reach, tried in about forty ways, with namespaces and with Landlock alone."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbay.tools.fences import landlock_abi
from patchbay.tools.launcher import LaunchError
from patchbay.tools.sandbox import Kind, SandboxSettings
from support.commands import CommandBench

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or landlock_abi() < 3, reason="this kernel has no Landlock of ABI 3"),
    pytest.mark.timeout(60),
]
PYTHON = f"'{sys.executable}' -I -S -c"
CANARY = "canary-73131"

WRITES = {
    "redirect": "echo x > $OUT/new",
    "append": "echo x >> $OUT/victim",
    "append to rc": "echo x >> $HOME/.bashrc",
    "truncate": "truncate -s 0 $OUT/victim",
    "truncate by open": f"{PYTHON} \"import os; os.open('$OUT/victim', os.O_RDONLY | os.O_TRUNC)\"",
    "remove": "rm -f $OUT/victim",
    "move away": "mv $OUT/victim ./stolen",
    "move in": "echo x > own; mv -f own $OUT/victim",
    "rename over": f"echo x > own; {PYTHON} \"import os; os.rename('own', '$OUT/victim')\"",
    "exchange": "echo x > own; mv --exchange own $OUT/victim",
    "hard link, then write": "ln $OUT/victim here && echo x > here",
    "symbolic link, then write": "ln -s $OUT/victim here; echo x > here",
    "linked folder": "ln -s $OUT there; echo x > there/new",
    "link replaced": "ln -s $OUT/victim here; sed -i s/o/x/ $(readlink here)",
    "dots": "echo x > ../outside/new",
    "by /proc/self/root": "echo x > /proc/self/root$OUT/new",
    "by /proc/self/cwd": "echo x > /proc/self/cwd/../outside/new",
    "by another's root": "echo x > /proc/1/root$OUT/new; echo x > /proc/$APP/root$OUT/new",
    "by another's cwd": "echo x > /proc/$APP/cwd/escaped-by-cwd",
    "folder": "mkdir $OUT/new",
    "socket": f"{PYTHON} \"import socket; socket.socket(socket.AF_UNIX).bind('$OUT/new')\"",
    "pipe": "mkfifo $OUT/new",
    "device": "mknod $OUT/new c 1 3",
    "child": "bash -c 'bash -c \"echo x > $OUT/new\"'",
    "daemon": "setsid -f bash -c 'echo x > $OUT/new'; sleep 0.2",
    "mount": "mount --bind . $OUT; echo x > $OUT/new; mount -o remount,rw / ; echo x > $OUT/new",
    "new namespace": "unshare -rm bash -c 'mount -o remount,rw,bind $OUT; echo x > $OUT/new'; echo x > $OUT/new",
    "namespace of another": "nsenter -t 1 -m bash -c 'echo x > $OUT/new'; nsenter -t $APP -m sh -c 'echo x > $OUT/new'",
    "unmount": "umount -l $PWD; umount -l /; echo x > $OUT/new",
    "own state": "echo x > $STATE/always.json",
    "ptrace": f'{PYTHON} "import ctypes; print(ctypes.CDLL(None).ptrace(16, $APP, 0, 0))" ; echo x > /proc/$APP/mem',
}
READS = {
    "ssh key": "cat $HOME/.ssh/id_ed25519",
    "cloud key": "cat $HOME/.aws/credentials",
    "own state": "cat $STATE/always.json",
    "own settings": "cat $HOME/.config/patchbay/config.toml",
    "by link": "ln -s $HOME/.ssh/id_ed25519 here; cat here",
    "by hard link": "ln $HOME/.ssh/id_ed25519 here; cat here",
    "by /proc": "cat /proc/self/root$HOME/.ssh/id_ed25519 /proc/$APP/root$HOME/.ssh/id_ed25519",
    "copy": "cp -r $HOME/.ssh here; cat here/*",
    "archive": "tar c $HOME/.ssh | cat",
    "environment of the application": "tr '\\0' '\\n' < /proc/$APP/environ",
    "memory of the application": "cat /proc/$APP/mem /proc/$APP/maps",
}
PROTECTED = {
    "hook": "echo x > .git/hooks/pre-commit",
    "git settings": "git config core.pager evil; echo x >> .git/config",
    "hook by rename": "mv .git other; mkdir -p .git/hooks; echo x > .git/hooks/pre-commit",
    "hooks by link": "mkdir evil; echo x > evil/pre-commit; rm -rf .git/hooks; ln -s ../evil .git/hooks",
    "settings of an editor": "echo x >> .vscode/settings.json",
    "servers": "echo x > .mcp.json",
    "shell rc": "echo x > .bashrc",
    "folder that is missing": "mkdir .cursor; echo x > .cursor/mcp.json",
    "own settings": "mkdir -p .patchbay; echo x > .patchbay/config.toml",
    "missing name by link": "echo x > evil; ln -s evil .envrc",
    "upper case": "mkdir .VSCode; echo x > .VSCode/tasks.json",
}


@pytest.fixture(params=[True, False], ids=["namespaces", "landlock alone"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> CommandBench:
    bench = CommandBench(
        tmp_path,
        SandboxSettings(private=(tmp_path / "home/.config/patchbay",)),
        kind=Kind.LANDLOCK,
        namespaces=request.param,
    )
    for name in (".ssh/id_ed25519", ".aws/credentials", ".config/patchbay/config.toml", ".bashrc"):
        _write(bench.home / name, CANARY)
    _write(bench.state / "always.json", CANARY)
    _write(tmp_path / "outside/victim", "old")
    for name in (".git/config", ".git/hooks/sample", ".vscode/settings.json", ".git/HEAD"):
        _write(bench.root / name, "old")
    bench.environment |= {"OUT": str(tmp_path / "outside"), "STATE": str(bench.state), "APP": str(os.getpid())}
    bench.commands._environment = bench.environment
    return bench


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _tree(*folders: Path) -> dict[str, bytes | None]:
    return {
        str(path): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if "output" not in path.parts and "taken" not in path.parts
    }


async def _try(bench: CommandBench, line: str) -> None:
    """Run it; skip where the machine does not allow the namespaces asked for."""
    wished = bench.sandbox.namespaces
    try:
        await bench.run(line, timeout_s=20)
    except LaunchError as error:
        pytest.skip(f"no sandbox here: {error}")
    finally:
        await bench.commands.aclose()
    if wished and not bench.sandbox.namespaces:
        pytest.skip("this machine allows no namespaces")


@pytest.mark.parametrize("name", WRITES)
async def test_nothing_outside_is_written(bench: CommandBench, name: str, tmp_path: Path) -> None:
    before = _tree(tmp_path / "outside", bench.home, bench.state)
    await _try(bench, WRITES[name])
    assert _tree(tmp_path / "outside", bench.home, bench.state) == before, bench.text()
    assert not Path("escaped-by-cwd").exists()


@pytest.mark.parametrize("name", READS)
async def test_no_key_is_read(bench: CommandBench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await _try(bench, READS[name])
    assert CANARY not in bench.text()
    assert "PYTEST_" not in bench.text()


@pytest.mark.parametrize("name", PROTECTED)
async def test_protected_names_stay(bench: CommandBench, name: str) -> None:
    watched = (".git", ".vscode", ".mcp.json", ".bashrc", ".cursor", ".patchbay", ".envrc", ".VSCode")

    def look() -> dict[str, object]:
        tree = _tree(bench.root)
        found = {path: text for path, text in tree.items() if Path(path).relative_to(bench.root).parts[0] in watched}
        assert not any(path.is_symlink() for path in bench.root.rglob("*"))
        return {path: text for path, text in found.items() if not path.endswith("/.git/HEAD")}

    before = look()
    await _try(bench, PROTECTED[name])
    assert look() == before, bench.text()


@pytest.fixture(params=[socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, request.param) as listening:
        listening.bind(("127.0.0.1", 0))
        if request.param == socket.SOCK_STREAM:
            listening.listen()
        listening.settimeout(0.2)
        yield listening


async def test_nothing_is_sent(bench: CommandBench, server: socket.socket) -> None:
    kind, port = "STREAM" if server.type == socket.SOCK_STREAM else "DGRAM", server.getsockname()[1]
    line = (
        f"{PYTHON} \"import socket as s; c=s.socket(s.AF_INET, s.SOCK_{kind}); c.connect(('127.0.0.1', {port}));"
        f" c.send(b'x')\"; echo x > /dev/{'tcp' if kind == 'STREAM' else 'udp'}/127.0.0.1/{port}"
    )
    await _try(bench, line)
    with pytest.raises(TimeoutError):
        server.accept() if kind == "STREAM" else server.recv(10)


async def test_an_abstract_socket_of_another_is_out_of_reach(bench: CommandBench) -> None:
    if landlock_abi() < 6 and not bench.sandbox.namespaces:
        pytest.skip("this kernel's Landlock has no scopes")
    with socket.socket(socket.AF_UNIX) as listening:
        name = f"patchbay-test-{os.getpid()}"
        listening.bind("\0" + name)
        listening.listen()
        listening.settimeout(0.2)
        await _try(bench, f"{PYTHON} \"import socket as s; s.socket(s.AF_UNIX).connect('\\0{name}')\"")
        with pytest.raises(TimeoutError):
            listening.accept()


async def test_processes_of_others_get_no_signal(bench: CommandBench) -> None:
    if landlock_abi() < 6:
        pytest.skip("this kernel's Landlock has no scopes")
    await _try(bench, "kill -0 $APP && echo reached; kill -0 $PPID && echo reached; echo end")
    assert "reached" not in bench.text() and "end" in bench.text()
