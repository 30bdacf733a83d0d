"""The real program on a pseudo-terminal of its own: what it writes there, byte by byte."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class PtyScreen:
    """A running program and every byte it wrote to its terminal so far."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, environ: dict[str, str], size: tuple[int, int] = (120, 40)
    ) -> None:
        self.written = bytearray()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environ = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)

    def __enter__(self) -> "PtyScreen":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def wait(self, done: Callable[[bytes], bool], seconds: float = 40) -> bytes:
        """Read until ``done(everything written)``; the program's end counts as the end of reading."""
        end = time.monotonic() + seconds
        while not done(bytes(self.written)):
            assert time.monotonic() < end, f"not seen in {seconds} s; last: {bytes(self.written[-1500:])!r}"
            if not self._read(0.2) and self.process.poll() is not None and not self._read(0.2):
                assert done(bytes(self.written)), f"the program ended: {bytes(self.written[-1500:])!r}"
        return bytes(self.written)

    def finish(self, seconds: float = 40) -> bytes:
        """Read until the program has ended."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, "the program did not end"
            self._read(0.2)
        while self._read(0.1):
            pass
        return bytes(self.written)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self._master, 65_536)
        except OSError:  # the other end is closed
            return False
        self.written += chunk
        return bool(chunk)
