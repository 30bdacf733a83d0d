"""The image on the clipboard of this machine, read by whichever of the usual programs is there.

A terminal hands over text and never the bytes of an image, so the clipboard is asked directly: ``wl-paste`` on Wayland,
``xclip`` on X11 (through a forwarded display too), ``pngpaste`` or ``osascript`` on macOS, ``powershell.exe`` in WSL.
Each is found on the absolute entries of ``PATH``, gets a list of arguments, no shell, no key of the environment, and a
bounded time and size. What comes is an image only when its first bytes say so.
"""

import base64
import binascii
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..tools.attaching import MAX_IMAGE_BYTES, image_type
from ..tools.programs import absolute_entries
from ..tools.safe_text import safe_line
from .asking_program import Ended, ask
from .plain_file import read_plain_file

TIMEOUT_S = 2.0
"""How long a program may take; an owner of the clipboard that hangs must not hang the paste."""
_SLOWER = 5
"""How many times as long PowerShell may take, which needs seconds to start."""
_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""What models take, the best first; when one is too large the owner may have a smaller one."""
_FILES = "text/uri-list"
_LIST_BYTES = 65_536
_PASSED_ON = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"),
        *("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
        *("WSL_DISTRO_NAME", "WSL_INTEROP", "WSLENV", "SYSTEMROOT", "__CF_USER_TEXT_ENCODING"),
    }
)
_APPLE = ("-e", "the clipboard as «class PNGf»")
_APPLE_DATA = re.compile(rb"\xc2\xabdata PNGf([0-9A-Fa-f]*)\xc2\xbb")
_POWERSHELL = (
    "-NoProfile",
    "-NonInteractive",
    "-Sta",
    "-Command",
    "Add-Type -AssemblyName System.Windows.Forms,System.Drawing; "
    "$image = [System.Windows.Forms.Clipboard]::GetImage(); if ($null -eq $image) { exit 3 }; "
    "$stream = New-Object System.IO.MemoryStream; "
    "$image.Save($stream, [System.Drawing.Imaging.ImageFormat]::Png); "
    "[Console]::Out.Write([Convert]::ToBase64String($stream.ToArray()))",
)
_EMPTY = re.compile(r"not available|nothing is copied|no selection|no suitable type|-1700\b", re.IGNORECASE)
"""How the programs say that there is no such thing on the clipboard."""
_INSTEAD = "Name an image file instead (@file), or drop it on the terminal."


class ClipboardError(Exception):
    """There is no image to be had; the message says why, and what to do instead."""


class _NoImageError(ClipboardError):
    """The clipboard can be read and holds none."""


class _TooLargeError(ClipboardError):
    """There is one, larger than models take."""


_TELLING = (_TooLargeError, _NoImageError, ClipboardError)
"""When several programs fail, whose word says the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipboardImage:
    """An image as it was on the clipboard."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """A program found, and how to run it."""

    path: str
    environ: Mapping[str, str]
    timeout_s: float

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def run(self, *arguments: str, most: int, slower: int = 1) -> Ended:
        """Run it to its end, its time (``slower`` times the usual one) or its bound in bytes."""
        return ask((self.path, *arguments), self.environ, most=most, timeout_s=self.timeout_s * slower)


def read_clipboard_image(
    environ: Mapping[str, str], platform: str, *, most_bytes: int = MAX_IMAGE_BYTES, timeout_s: float = TIMEOUT_S
) -> ClipboardImage:
    """The image on the clipboard. ``platform`` is as in ``sys.platform``.

    Blocks for some seconds at most: call it from a thread. Raises ``ClipboardError``.
    """
    problems: list[ClipboardError] = []
    for read, program in _ways(environ, platform, timeout_s):
        try:
            return read(program, most_bytes)
        except ClipboardError as error:
            problems.append(error)
    if problems:
        raise min(problems, key=lambda error: _TELLING.index(type(error)))
    raise ClipboardError(_nothing_to_ask(environ, platform))


_Way = Callable[[_Program, int], ClipboardImage]


def _ways(environ: Mapping[str, str], platform: str, timeout_s: float) -> Iterator[tuple[_Way, _Program]]:
    """Who can be asked here, the likeliest first.

    Over SSH only a forwarded display leads to the machine the person sits at; another clipboard is somebody else's.
    """
    path = absolute_entries(environ.get("PATH", ""))
    passed = {"PATH": path, **{name: value for name, value in environ.items() if name in _PASSED_ON}}

    def found(name: str) -> Iterator[_Program]:
        if (file := shutil.which(name, path=path)) is not None:
            yield _Program(path=file, environ=passed, timeout_s=timeout_s)

    if environ.get("WAYLAND_DISPLAY"):
        yield from ((_wayland, program) for program in found("wl-paste"))
    if environ.get("DISPLAY"):
        yield from ((_x11, program) for program in found("xclip"))
    if _remote(environ):
        return
    if platform == "darwin":
        yield from ((_pngpaste, program) for program in found("pngpaste"))
        yield from ((_osascript, program) for program in found("osascript"))
    if _windows(environ, platform):
        yield from ((_powershell, program) for program in found("powershell.exe"))


def _remote(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def _windows(environ: Mapping[str, str], platform: str) -> bool:
    return platform == "win32" or bool(environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"))


def _nothing_to_ask(environ: Mapping[str, str], platform: str) -> str:
    """What is missing for a paste to work."""
    missing: list[str] = []
    if environ.get("WAYLAND_DISPLAY"):
        missing.append("wl-paste (package wl-clipboard)")
    if environ.get("DISPLAY"):
        missing.append("xclip")
    if missing:
        return f"No image can be read from the clipboard here: install {' or '.join(missing)}. {_INSTEAD}"
    if _remote(environ):
        return (
            "This session runs over SSH, and a terminal does not send images: your clipboard cannot be read from here. "
            "Copy the image file to this machine and name it (@file)."
        )
    if platform == "darwin":
        return f"No image can be read from the clipboard: neither pngpaste nor osascript is on the PATH. {_INSTEAD}"
    if _windows(environ, platform):
        return f"No image can be read from the clipboard: powershell.exe is not on the PATH. {_INSTEAD}"
    return f"There is no clipboard here: neither WAYLAND_DISPLAY nor DISPLAY is set. {_INSTEAD}"


# ---- one function for each way; each raises ClipboardError


def _wayland(program: _Program, most: int) -> ClipboardImage:
    types = program.run("--list-types", most=_LIST_BYTES)
    return _offered(program, types, lambda kind: ("--no-newline", "--type", kind), most)


def _x11(program: _Program, most: int) -> ClipboardImage:
    clipboard = ("-selection", "clipboard", "-o", "-t")
    types = program.run(*clipboard, "TARGETS", most=_LIST_BYTES)
    return _offered(program, types, lambda kind: (*clipboard, kind), most)


def _offered(program: _Program, types: Ended, arguments: Callable[[str], Sequence[str]], most: int) -> ClipboardImage:
    """The best of the types that the clipboard's owner offers and that fits."""
    _check(program, types, _LIST_BYTES)
    offered = set(types.out.decode("utf-8", "replace").split())
    images = [kind for kind in _TYPES if kind in offered]
    if not images and _FILES in offered:
        return _file(program.run(*arguments(_FILES), most=_LIST_BYTES), most)
    if not images:
        other = sorted(kind for kind in offered if kind.startswith("image/"))
        raise _NoImageError(_no_image(f", only {safe_line(', '.join(other[:4]))}" if other else ""))
    error: ClipboardError = _NoImageError(_no_image())
    for kind in images:
        try:
            ended = program.run(*arguments(kind), most=most)
            _check(program, ended, most)
            return _image(ended.out, most)
        except ClipboardError as problem:
            error = problem
    raise error


def _file(ended: Ended, most: int) -> ClipboardImage:
    """The image file that was copied in a file manager: the first of the list."""
    lines = ended.out.decode("utf-8", "replace").splitlines()
    address = next((line for line in lines if line.startswith("file://")), "")
    if not address:
        raise _NoImageError(_no_image())
    try:
        path = Path(unquote(urlsplit(address).path))
        if path.stat().st_size > most:
            raise _too_large(most)
        return _image(read_plain_file(path, most), most)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ClipboardError(f"The file on the clipboard cannot be read: {safe_line(reason)}.") from None


def _pngpaste(program: _Program, most: int) -> ClipboardImage:
    ended = program.run("-", most=most)
    if ended.refused:  # it says the same of an empty clipboard and of text
        raise _NoImageError(_no_image())
    _check(program, ended, most)
    return _image(ended.out, most)


def _osascript(program: _Program, most: int) -> ClipboardImage:
    ended = program.run(*_APPLE, most=2 * most + 100)  # in hex
    _check(program, ended, most)
    found = _APPLE_DATA.search(ended.out)
    return _image(b"" if found is None else bytes.fromhex(found[1].decode("ascii")[: len(found[1]) // 2 * 2]), most)


def _powershell(program: _Program, most: int) -> ClipboardImage:
    ended = program.run(*_POWERSHELL, most=most * 4 // 3 + 100, slower=_SLOWER)  # in base64
    _check(program, ended, most)
    try:
        return _image(base64.b64decode(ended.out.strip(), validate=True), most)
    except binascii.Error:
        raise _NoImageError(_no_image()) from None


def _check(program: _Program, ended: Ended, most: int) -> None:
    if ended.cut:
        raise _too_large(most)
    if ended.refused and (_EMPTY.search(ended.said) or not (ended.said or ended.out)):
        raise _NoImageError(_no_image())
    if ended.problem:
        raise ClipboardError(f"The clipboard cannot be read: {program.name} {ended.problem}. {_INSTEAD}")


def _image(data: bytes, most: int) -> ClipboardImage:
    """The bytes as an image: told by the first of them, whatever they were called."""
    if len(data) > most:
        raise _too_large(most)
    media_type = image_type(data)
    if not media_type:
        raise _NoImageError(_no_image())
    return ClipboardImage(data=data, media_type=media_type)


def _too_large(most: int) -> ClipboardError:
    return _TooLargeError(
        f"The image on the clipboard has more than {most / 1e6:g} MB; models take no larger one. "
        "Copy a smaller part of it, or save it smaller and name the file (@file)."
    )


def _no_image(more: str = "") -> str:
    return f"There is no PNG, JPEG, GIF or WebP image on the clipboard{more}. {_INSTEAD}"
