"""``patchbay wire decode``: what Patchbay makes of recorded replies, one JSON line for each."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..providers.recorded import decode, read_case


def _case_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.json")) if path.is_dir() else (path,)


def decode_command(argv: list[str]) -> int:
    """``patchbay wire decode [--chunk N] [--crlf] FILE…``: one JSON line for each case file; folders are walked.

    Exit status 0 when all files were read, 1 when one was not (named on stderr, the others are decoded), 2 for
    arguments that make no sense.
    """
    parser = argparse.ArgumentParser(prog="patchbay wire decode", description="Decode recorded replies.")
    parser.add_argument("--chunk", type=int, default=0, metavar="N", help="hand the body on in pieces of N bytes")
    parser.add_argument("--crlf", action="store_true", help="turn the line ends of event streams into CR LF")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a case file, or a folder of them")
    chosen = parser.parse_args(argv, namespace=_Arguments())
    if chosen.chunk < 0:
        parser.error("--chunk must be a positive number of bytes")
    return asyncio.run(_decode_files(chosen))


class _Arguments(argparse.Namespace):
    chunk: int = 0
    crlf: bool = False
    files: Sequence[Path] = ()


async def _decode_files(chosen: _Arguments) -> int:
    unread = 0
    for path in _case_files(chosen.files):
        try:
            case = read_case(path)
        except (OSError, ValueError) as problem:
            unread += 1
            sys.stderr.write(f"patchbay wire decode: {path}: {problem}\n")
            continue
        decoded = await decode(case, chunk=chosen.chunk, crlf=chosen.crlf)
        sys.stdout.write(json.dumps(decoded.to_json(case.name)) + "\n")
    return 1 if unread else 0
