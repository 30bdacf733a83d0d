"""The searching half of ``grep``, a program of its own: a pattern that never ends can then be killed.

Python's regular expressions hold the interpreter lock while they match, so that in the application's own
process an unlucky pattern would stop everything. Started with ``python -I -S``: it imports nothing of ours.

Argument: a JSON object with ``pattern``, ``root`` (folder), ``max_bytes`` of output. Standard input: names
relative to the root, each ended by NUL. Output: JSON lines, ``[name, line, text]`` for each match and at the
end ``{"skipped": files too large, "complete": bool}``, or ``{"error": message}`` for a bad pattern.
"""

import json
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator
from io import BufferedReader
from typing import cast

_FILE_BYTES = 64_000_000
_LINE_BYTES = 1_000_000
_SAMPLE = 8192
_SHOWN = 300


def main(argument: str, names: list[bytes]) -> None:
    """Search all files; print what is found."""
    request = cast("dict[str, object]", json.loads(argument))
    warnings.simplefilter("ignore")
    try:
        pattern = re.compile(str(request["pattern"]))
    except (re.error, OverflowError, RecursionError) as error:
        _print({"error": str(error)})
        return
    root, room = os.path.realpath(str(request["root"])), int(str(request["max_bytes"]))
    skipped, complete = 0, True
    for name in names:
        found = _search(pattern, root, name)
        if found is None:
            skipped += 1
            continue
        for number, line in found:
            room -= _print([os.fsdecode(name), number, line])
        sys.stdout.flush()
        if room < 0:
            complete = False
            break
    _print({"skipped": skipped, "complete": complete})


def _search(pattern: re.Pattern[str], root: str, name: bytes) -> Iterator[tuple[int, str]] | None:
    """The matches in a text file below root; none in what cannot or need not be searched, None if too large."""
    path = os.path.join(os.fsencode(root), name)
    folder = os.fsdecode(os.path.realpath(os.path.dirname(path)))
    if folder != root and not folder.startswith(root.rstrip("/") + "/"):
        return iter(())
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return iter(())
    file = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= _FILE_BYTES:
        return _matches(pattern, file)
    file.close()
    return None if stat.S_ISREG(status.st_mode) else iter(())


def _matches(pattern: re.Pattern[str], file: BufferedReader) -> Iterator[tuple[int, str]]:
    with file:
        if b"\0" in file.peek(_SAMPLE)[:_SAMPLE]:
            return
        number = 1
        while data := file.readline(_LINE_BYTES):
            line = data.decode("utf-8", "replace").rstrip("\r\n")
            found = pattern.search(line)
            if found is not None:
                start = max(0, min(found.start() - _SHOWN // 3, len(line) - _SHOWN))
                more = start + _SHOWN < len(line)
                yield number, f"{'…' if start else ''}{line[start : start + _SHOWN]}{'…' if more else ''}"
            number += data.endswith(b"\n")


def _print(record: object) -> int:
    text = json.dumps(record)
    sys.stdout.write(text + "\n")
    return len(text)


if __name__ == "__main__":
    main(sys.argv[1], [name for name in sys.stdin.buffer.read().split(b"\0") if name])
