"""Whether one command does nothing but read, and only what a session may read."""

import fnmatch
import glob as file_patterns
import itertools
import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .failures import ToolFailure
from .sensitive import concern_of
from .shell_commands import Redirect, Simple, is_unknown, starts_open
from .shell_options import Operands, parse_arguments
from .shell_scope import UNKNOWN_FOLDER
from .shell_special import OPERAND_CHECKS, OWN_NAME, SECRET_VARIABLE, SPECIAL, without_jq_values
from .shell_tools import READ_TOOLS, VERSION_WORDS, ReadTool
from .shell_words import HoleKind, Word
from .shell_wrappers import HARMLESS_VARIABLES, PAGER_VARIABLES
from .workspace import Workspace

_SYSTEM_PROGRAMS = frozenset({"/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin"})
_OPEN_FILES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
_SECRET_EXAMPLES = (
    *(".env", ".env.local", ".netrc", ".npmrc", ".pypirc", ".git-credentials", "id_rsa", "id_ed25519", "key.pem"),
    *("server.key", "store.p12", "store.jks", ".ssh", ".aws", ".gnupg", ".kube", ".docker"),
)
_MOST_MATCHES = 2000


@dataclass(frozen=True, slots=True)
class Reading:
    """What commands may read: files of the workspace that hold no secrets. ``search_path`` finds programs."""

    workspace: Workspace | None
    search_path: str = ""

    def why_not(self, simple: Simple) -> str:
        """Why a command may do more than read; "" when it only reads."""
        return self.around(simple) or self._secret_variables(simple) or (self._command(simple) if simple.words else "")

    def around(self, simple: Simple) -> str:
        """The same for what stands around a command: what is set for it, and its redirections."""
        if simple.background:
            return "runs in the background"
        for name, value in simple.assignments:
            if not simple.words and OWN_NAME.fullmatch(name):
                continue
            pager = name in PAGER_VARIABLES and value.text == "cat"
            pager = pager or (name == "TZ" and re.fullmatch(r"[A-Z]\w*(?:/\w+)?", value.known) is not None)
            if not (simple.words and (HARMLESS_VARIABLES.fullmatch(name) or pager) and value.text is not None):
                return f"sets {name} for what it runs"
        return next((why for redirect in simple.redirects if (why := self._redirect(redirect, simple))), "")

    def path(self, word: Word, folders: Sequence[str]) -> str:
        """Why a file may not be read unasked."""
        if len(word.parts) == 1 and word.holes and word.holes[0].kind is HoleKind.READ_FROM:
            return ""
        text = word.text
        if text is None:
            return "reads a file whose name is not known before it runs"
        if text in ("-", "/dev/null"):
            return ""
        if re.match(r"~[+\-0-9]", text):
            return f"reads {text[:40]}, which is not known before it runs"
        if self.workspace is None:
            return "reads a file"
        if word.glob:
            return next((why for folder in folders if (why := self._pattern(text, folder))), "")
        return next((why for folder in folders if (why := self._file(text, folder))), "")

    def _file(self, text: str, folder: str) -> str:
        workspace = self.workspace
        if workspace is None or folder == UNKNOWN_FOLDER:
            return "runs in a folder that is not known before it runs"
        try:
            place = workspace.resolve(text if text.startswith(("/", "~")) else os.path.join(folder, text))
        except ToolFailure as failure:
            return failure.message
        if not place.readable:
            return f"reads {text[:80]}, outside the workspace"
        return f"reads {text[:80]}: {place.read_concern[1]}" if place.read_concern else ""

    def _pattern(self, text: str, folder: str) -> str:
        """A file-name pattern: where it starts, what it could name, and what it names now."""
        if folder == UNKNOWN_FOLDER:
            return "runs in a folder that is not known before it runs"
        parts = text.split("/")
        first = next(n for n, part in enumerate(parts) if re.search(r"[*?\[(]", part))
        if ".." in parts[first:]:
            return f"reads {text[:80]}, which may be outside the workspace"
        base = "/".join(parts[:first]) or ("/" if text.startswith("/") else ".")
        if why := self._file(base, folder):
            return why
        for part in parts[first:]:
            bare = part.strip("*?")
            if (bare and any(fnmatch.fnmatch(name, part) for name in _SECRET_EXAMPLES)) or re.match(
                r"[*?]*\[.*|\.[*?\[]", part
            ):
                return f"reads {text[:80]}, which may name a secret"
            if concern_of((part.replace("*", "x"),), writing=False):
                return f"reads {text[:80]}, which may name a secret"
        full = os.path.join(folder, os.path.expanduser(text))
        found = list(itertools.islice(file_patterns.iglob(full), _MOST_MATCHES))
        if len(found) == _MOST_MATCHES:
            return "reads too many files to look at"
        return next((why for name in found if (why := self._file(name, folder))), "")

    def _redirect(self, redirect: Redirect, simple: Simple) -> str:
        target = redirect.target.text
        if redirect.duplicates or (target in _OPEN_FILES and redirect.operator != "<>"):
            return ""
        if redirect.operator == "<":
            return self.path(redirect.target, simple.folders) or ("" if not redirect.target.glob else "reads a pattern")
        return f"writes {redirect.target.known[:80]}".replace("\0", "…")

    def _secret_variables(self, simple: Simple) -> str:
        for word in (*simple.words, *(value for _, value in simple.assignments)):
            for hole in word.holes:
                if hole.kind is HoleKind.VARIABLE and SECRET_VARIABLE.fullmatch(hole.name.rstrip(":")):
                    return f"uses ${hole.name.rstrip(':')}, which may hold a secret"
        return ""

    def _command(self, simple: Simple) -> str:
        given = simple.words[0].text
        if given is None or not given or (simple.words[0].glob and given not in ("[", "[[")):
            return "runs a program that is not known before it runs"
        name = simple.name
        if "/" in given and os.path.dirname(given) not in _SYSTEM_PROGRAMS:
            return f"runs {given[:80]}, a program of its own"
        if "/" not in given and self._shadowed(given):
            return f"runs {given} from the workspace"
        if simple.extra_arguments:
            return "works on files that are not known before it runs"
        words = simple.arguments
        if len(words) == 1 and (words[0].text or "") in VERSION_WORDS and name in VERSION_WORDS[words[0].text or ""]:
            return ""
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, simple)
        tool = READ_TOOLS.get(name)
        if tool is None:
            return f"runs {name[:60]}"
        if len(words) == 1 and words[0].text in ("--help", "--version"):
            return ""
        return self._table(tool, simple)

    def _shadowed(self, name: str) -> bool:
        """Whether the shell would find a program of the workspace under a well-known name."""
        root = self.workspace.root if self.workspace is not None else None
        for entry in self.search_path.split(os.pathsep):
            inside = not os.path.isabs(entry) or (
                root is not None and os.path.realpath(entry).startswith(f"{root}{os.sep}")
            )
            if inside and (not os.path.isabs(entry) or os.path.lexists(os.path.join(entry, name))):
                return bool(self.search_path)
        return False

    def _table(self, tool: ReadTool, simple: Simple) -> str:
        words, wrong = simple.arguments, ""
        if simple.name in ("less", "more") and any(word.known.startswith("+") for word in words):
            return "starts with a command of its own"
        if simple.name == "jq":
            words, wrong = without_jq_values(words)
        if wrong:
            return wrong
        if tool.operands is Operands.TEXTS and tool.open_ended:
            return self.texts(words, simple)
        parsed = parse_arguments(words, tool.options, numbers=tool.numbers)
        if parsed.wrong:
            return parsed.wrong
        operands = list(parsed.operands)
        texts: list[Word] = []
        match tool.operands:
            case Operands.PATTERN if not (
                {"-e", "-f", "--regexp", "--file", "--files", "--type-list"} & set(parsed.given)
            ):
                texts, operands = operands[:1], operands[1:]
            case Operands.TEXTS | Operands.NONE:
                texts, operands = operands, []
            case _:
                pass
        if len(texts) + len(operands) > tool.most or (tool.operands is Operands.NONE and texts):
            return f"gives {simple.name} more than it reads"
        if any(is_unknown(word) and not _is_process(word) for word in texts):
            return "has an argument that is not known before it runs"
        if any("\0" in value and name not in ("--format",) for name, value in parsed.values):
            return "has a value that is not known before it runs"
        if not tool.open_ended and any(starts_open(word) and word.glob for word in (*texts, *operands)):
            return "starts an argument with a pattern that may become an option"
        checks = OPERAND_CHECKS.get(simple.name)
        if checks is not None and (why := checks([word.text or "" for word in texts])):
            return why
        return next(
            (why for word in (*parsed.paths, *operands) if (why := self.path(word, simple.folders))), ""
        ) or self.texts([word for word in texts if word.glob], simple)

    def texts(self, words: Sequence[Word], simple: Simple) -> str:
        """Words that are only printed; a pattern among them lists files."""
        for word in words:
            if word.glob and (why := self.path(word, simple.folders)):
                return why
        return ""


def _is_process(word: Word) -> bool:
    return len(word.parts) == 1 and bool(word.holes) and word.holes[0].kind is HoleKind.READ_FROM
