"""Clipboard programs that a test makes: small shell scripts in a folder that is the whole ``PATH``."""

import shlex
from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 60


class Programs:
    """A folder of programs. Each writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls.txt"
        folder.mkdir(parents=True, exist_ok=True)

    def make(self, name: str, script: str) -> None:
        file = self.folder / name
        head = f'#!/bin/sh\necho "{name} $*" >> {shlex.quote(str(self.log))}\n'
        file.write_text(f"{head}{script}\n")
        file.chmod(0o755)

    def gives(self, name: str, **offered: bytes) -> None:
        """An ``xclip`` or ``wl-paste`` that offers these: ``png=…``, ``jpeg=…``, or ``text=…``."""
        types = {("text/plain" if kind == "text" else f"image/{kind}"): data for kind, data in offered.items()}
        listed = " ".join(types)
        cases: list[str] = []
        for number, (kind, data) in enumerate(types.items()):
            held = self.folder / f"{name}-{number}.data"
            held.write_bytes(data)
            cases.append(f"*{kind}*) /bin/cat {shlex.quote(str(held))};;")
        lists = f"*TARGETS*|*--list-types*) for each in {listed}; do echo $each; done;;"
        self.make(name, f'case "$*" in {lists} {" ".join(cases)} *) echo not available >&2; exit 1;; esac')

    def holds(self, name: str, text: str) -> None:
        """A file of the folder that scripts may ``cat``."""
        (self.folder / name).write_text(text)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def environ(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.folder), **more}
