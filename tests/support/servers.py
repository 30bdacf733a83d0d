"""Real model servers on this machine, started and stopped by the scripts in the folder of outside cases.

Nothing is installed here: a server whose package the scripts have not installed yet is skipped, with the command that
would install it. Servers that somebody else started with the same scripts are left alone: each process of tests keeps
its pid files in a folder of its own.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

_ENVIRON = dict(os.environ)
"""As it was before a test took it away."""
_CASES = _ENVIRON.get("PATCHBAY_CASES")
_CACHE = Path(_ENVIRON.get("XDG_CACHE_HOME") or Path(_ENVIRON.get("HOME", "/")) / ".cache")
LAB = Path(_ENVIRON.get("LAB_HOME") or _CACHE / "patchbay-servers")
"""Where the scripts install servers."""
START_TIMEOUT_S = 150


@cache
def own_lab() -> Path:
    """The installed servers, with a place of its own for what runs."""
    lab = Path(tempfile.mkdtemp(prefix="patchbay-lab-"))
    for installed in LAB.iterdir():
        if installed.name != "run":
            (lab / installed.name).symlink_to(installed)
    (lab / "run").mkdir()
    atexit.register(shutil.rmtree, lab, ignore_errors=True)
    return lab


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RealServer:
    """One server process. ``settings`` are variables its script reads."""

    script: str
    installed: str
    """What lies in the lab once it is installed."""
    settings: Mapping[str, str] = field(default_factory=dict)
    run_name: str = ""
    """What its pid file is called; by default after script and port."""
    port: int = field(default_factory=free_port)

    def require(self) -> None:
        """Skip the test when there is none to start."""
        if not _CASES:
            pytest.skip("PATCHBAY_CASES is not set: no scripts to start real servers with")
        if not self._script.is_file():
            pytest.skip(f"{self._script} does not exist")
        if not (LAB / self.installed).exists():
            pytest.skip(f"not installed in {LAB}; `{self._script} start` installs it")

    def start(self) -> "RealServer":
        """Start it and wait until it answers; skips the test when there is none to start."""
        self.require()
        done = self._run("start", timeout=START_TIMEOUT_S)
        if done.returncode:
            pytest.fail(f"{self.script} did not start: {done.stderr[-300:]}")
        return self

    def stop(self) -> None:
        """End it in good order."""
        if _CASES and LAB.is_dir():
            self._run("stop", timeout=20)

    def kill(self) -> None:
        """Let it die at once, in mid-sentence."""
        os.kill(int((own_lab() / "run" / f"{self._name}.pid").read_text()), signal.SIGKILL)

    def wait_until_gone(self) -> None:
        """Wait until nobody listens on its port: a process takes its time to die."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)
        raise TimeoutError(f"{self._name} still listens")

    @property
    def root(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def _script(self) -> Path:
        return Path(_CASES or "") / "servers" / self.script

    @property
    def _name(self) -> str:
        return self.run_name or f"{self.script.removesuffix('.sh')}-{self.port}"

    def _run(self, verb: str, *, timeout: float) -> "subprocess.CompletedProcess[str]":
        environ = {**_ENVIRON, **self.settings, "PORT": str(self.port), "NAME": self._name, "LAB_HOME": str(own_lab())}
        # Not piped: the server would hold the pipe open. The log of a failure is what matters.
        log = own_lab() / "run" / f"test-{self._name}.out"
        with log.open("w") as out:
            command = ["bash", str(self._script), verb]
            done = subprocess.run(command, env=environ, stdout=out, stderr=out, timeout=timeout, check=False)
        return subprocess.CompletedProcess(command, done.returncode, "", log.read_text())


def llama(**settings: str) -> RealServer:
    """A llama.cpp server with a small model; ``TEMPLATE``, ``CTX`` and ``API_KEY`` as its script has them."""
    return RealServer("llama.sh", "venv-llama/.specs", settings)


def litellm(config: Path) -> RealServer:
    """A LiteLLM proxy with the models of a configuration file. It is slow to start."""
    return RealServer("litellm.sh", "venv-litellm/.specs", {"CONFIG": str(config)}, run_name="litellm")


def aimock() -> RealServer:
    """A scripted server with the conversations that come with its script."""
    return RealServer("aimock.sh", "npm-aimock/.specs", run_name="aimock")
