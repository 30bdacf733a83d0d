"""What a command would hit: how wide a path is, and whether writing it plants something.

Works on spelling and folders alone: a path that does not exist yet counts as much as one that does.
"""

import os.path
import re
from collections.abc import Sequence

from .sensitive import Concern, concern_of
from .shell_commands import Simple, is_unknown
from .shell_scope import UNKNOWN_FOLDER
from .shell_words import HoleKind, Text, Word

_SYSTEM = re.compile(
    r"/(?:bin|boot|dev|etc|lib\w*|opt|proc|root|sbin|srv|sys|usr|var|run|System|Library|Applications|private/etc|mnt|media)(?:/.*)?"
)
_SCRATCH = re.compile(r"/(?:tmp|var/tmp|private/tmp|var/folders)/.+")
_SAFE_DEVICES = re.compile(r"/dev/(?:null|stdin|stdout|stderr|tty|zero|full|fd/\d+)|/proc/self/fd/\d+")
_WINDOWS_ROOT = re.compile(r"[A-Za-z]:(?:[\\/]\*?)?(?:Windows.*|Users.*)?|\\\\.*", re.IGNORECASE)
_SCRATCH_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - names to look for, nothing is made there
_SHARED_MEMORY = "/dev/shm/"  # noqa: S108
_WIDE_NAMES = re.compile(r"(?:\.{0,2}/)*(?:\*|\.\*|\.|\.\.|\{\*,?.*|\.\[!?.*|\?\*|\*\.?\*|\*\*(?:/\*)?|\.git|:/?|)/*")


class Targets:
    """Judges paths of one workspace and home."""

    def __init__(self, root: str, home: str) -> None:
        self.root = root
        self.home = home

    def places(self, word: Word, simple: Simple) -> list[str]:
        """Where a word may lead: once for each folder its command may run in."""
        text = self._plain(word)
        if text.startswith("/"):
            return [_normal(text)]
        return [
            UNKNOWN_FOLDER if folder == UNKNOWN_FOLDER else _normal(os.path.join(folder, text))
            for folder in simple.folders or (self.root,)
        ]

    def wide(self, word: Word, simple: Simple) -> bool:
        """Whether removing or changing this, with all below it, would hurt more than a part of the workspace."""
        if is_unknown(word):
            return self._wide_unknown(word)
        text = self._plain(word)
        if not text:
            return False
        if _WINDOWS_ROOT.fullmatch(text) or re.match(r"~[a-z+-]", text):
            return True
        return any(self._wide_place(place) for place in self.places(word, simple))

    def system(self, word: Word, simple: Simple) -> bool:
        """Whether it is part of the system or of the home folder's own set-up."""
        return any(
            _SYSTEM.fullmatch(place) and not _SCRATCH.fullmatch(place) and not _SAFE_DEVICES.fullmatch(place)
            for place in self.places(word, simple)
            if not self.inside(place)
        )

    def apart(self, word: Word, simple: Simple) -> bool:
        """Whether it is elsewhere: neither in the workspace nor among temporary files."""
        return any(not self.inside(place) and not _SCRATCH.fullmatch(place) for place in self.places(word, simple))

    def plants(self, word: Word, simple: Simple) -> bool:
        """Whether writing it makes something run later, or breaks the system."""
        if self.system(word, simple) or "/" in self.places(word, simple):
            return True
        known = word.known.replace("\0", "x")
        for place in (*self.places(word, simple), _normal(known)):
            inside = self.inside(place)
            parts = os.path.relpath(place, self.root).split("/") if inside else place.split("/")
            concern = concern_of([part for part in parts if part], writing=True)
            if concern and (concern[0] is Concern.PROTECTED or re.search(r"\.(?:ssh|gnupg|aws|kube|docker)\b", place)):
                return True
            if re.search(
                r"/(?:cron[^/]*|LaunchAgents|autostart|systemd|init\.d|rc\.local|authorized_keys2?)(?:/|$)", place
            ):
                return True
        return False

    def secret(self, word: Word, simple: Simple) -> bool:
        """Whether it names a file that usually holds secrets."""
        text = word.known.lstrip("@").replace("\0", "x")
        pieces = [text, *re.split(r"[=:@]", text)]
        names = [piece.replace("~", self.home, 1) for piece in pieces if piece]
        return any(self.secret_place(name) for name in names) or any(
            self.secret_place(place) for place in self.places(word, simple)
        )

    def secret_place(self, place: str) -> bool:
        """The same for a path."""
        if re.search(
            r"/proc/[^/]+/environ|/etc/(?:shadow|passwd|sudoers|ssh/)|\.(?:ssh|gnupg|aws|kube)(?:/|$)|wallet|\.bash_history",
            place,
        ):
            return True
        parts = [part for part in place.replace("*", "x").split("/") if part]
        concern = concern_of(parts, writing=False)
        return concern is not None

    def _plain(self, word: Word) -> str:
        text = word.known
        tilde = bool(word.parts) and isinstance(word.parts[0], Text) and not word.parts[0].quoted
        if tilde and (text == "~" or text.startswith("~/")):
            return self.home + text[1:]
        return text

    def _wide_unknown(self, word: Word) -> bool:
        """A hole that may be empty, or may be anything: wide when nothing narrows it down behind."""
        after = re.sub(r"^[^\0]*\0", "", word.known)
        before = word.known.partition("\0")[0]
        if before.strip("./") and not before.startswith("/"):
            return False
        return not re.search(r"[A-Za-z0-9_]{2,}", after)

    def _wide_place(self, place: str) -> bool:
        if place == UNKNOWN_FOLDER:
            return True
        folder, _, name = place.rpartition("/")
        if name and _WIDE_NAMES.fullmatch(name):
            place = folder or "/"
        if place in ("/", "/*") or _is_above(place, self.root) or _is_above(place, self.home):
            return True
        if re.fullmatch(r".*/\.(?:git|hg|svn)", place) and "/" in place:
            return True
        if self.inside(place) or _SCRATCH.fullmatch(place):
            return False
        if any(sign in place for sign in "*?[") and _is_above(place.split("*")[0].rstrip("/") or "/", self.root):
            return True
        return (
            bool(_SYSTEM.fullmatch(place))
            or place in _SCRATCH_FOLDERS
            or place.startswith(("/home", "/Users"))
            or place.count("/") == 1
        )

    def inside(self, place: str) -> bool:
        """Whether a place is the workspace or below it."""
        return place == self.root or place.startswith(self.root.rstrip("/") + "/")


def device(place: str) -> bool:
    """Whether a path is a device, or a switch of the kernel."""
    return (
        place.startswith(("/dev/", "/proc/", "/sys/"))
        and not _SAFE_DEVICES.fullmatch(place)
        and not place.startswith(_SHARED_MEMORY)
    )


def network_device(place: str) -> bool:
    """bash's own way to the network."""
    return place.startswith(("/dev/tcp/", "/dev/udp/"))


def written(simple: Simple) -> list[Word]:
    """The words that a command writes to: redirections, and the operands of those that copy."""
    found = [redirect.target for redirect in simple.redirects if redirect.writes]
    operands = [word for word in simple.arguments if not word.known.startswith("-")]
    texts = simple.texts()
    match simple.name:
        case "tee" | "touch" | "mkdir" | "truncate" | "sponge" | "Set-Content" | "Add-Content" | "Out-File":
            found += operands
        case "cp" | "mv" | "ln" | "install" | "rsync" | "scp" | "gcp" | "copy" | "Copy-Item" | "xcopy" | "move":
            found += operands[-1:]
            found += _values(simple, "-t", "--target-directory")
        case "dd":
            found += [_cut(word, 3) for word in simple.arguments if word.known.startswith("of=")]
        case "sed" | "perl" | "ruby" | "gsed" if any(re.match(r"-[A-Za-z]*i|--in-place", text) for text in texts):
            found += operands
        case "curl" | "wget" | "aria2c":
            found += _values(
                simple, "-o", "--output", "-O", "--output-document", "-P", "--directory-prefix", "--output-dir"
            )
        case "tar" | "bsdtar":
            found += _values(simple, "-C", "--directory") if any("x" in text for text in texts[:1]) else []
        case "unzip":
            found += _values(simple, "-d")
        case "ssh-keygen":
            found += _values(simple, "-f")
        case "git" if "config" in texts:
            found += _values(simple, "-f", "--file")
        case _:
            pass
    return found


def _values(simple: Simple, *names: str) -> list[Word]:
    """The values of options, joined to them or not."""
    found: list[Word] = []
    for number, word in enumerate(simple.arguments):
        text = word.known
        for name in names:
            if text == name and number + 1 < len(simple.arguments):
                found.append(simple.arguments[number + 1])
            elif name.startswith("--") and text.startswith(f"{name}="):
                found.append(_cut(word, len(name) + 1))
            elif len(name) == 2 and len(text) > 2 and text.startswith(name) and not text.startswith("--"):
                found.append(_cut(word, 2))
    return found


def _cut(word: Word, count: int) -> Word:
    """A word without its first characters."""
    parts = list(word.parts)
    while parts and count:
        first = parts[0]
        if not isinstance(first, Text):
            break
        taken = min(count, len(first.text))
        parts[0] = Text(text=first.text[taken:], quoted=first.quoted)
        count -= taken
        if not first.text[taken:]:
            parts.pop(0)
    return Word(tuple(parts))


def _normal(path: str) -> str:
    normal = os.path.normpath(path) if path else path
    return re.sub(r"^//+", "/", normal)


def _is_above(place: str, of: str) -> bool:
    """Whether ``place`` is ``of`` or one of its parents."""
    return bool(of) and (place == of or of.startswith(place.rstrip("/") + "/"))


def substitutes(words: Sequence[Word]) -> bool:
    """Whether a command's output is put into the words."""
    return any(hole.kind in (HoleKind.COMMAND, HoleKind.READ_FROM) for word in words for hole in word.holes)
