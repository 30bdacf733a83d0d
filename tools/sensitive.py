"""Names that need a person's look: files that make other programs run code, and files that hold secrets.

Judged by name alone, folded for case-insensitive and Unicode-folding file systems, because a name that does
not exist yet needs the same care as one that does.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum


class Concern(StrEnum):
    """Why a path is not like the others."""

    PROTECTED = "protected"
    """Writing it can make a program run code later, or change what this program may do."""
    SECRET = "secret"  # noqa: S105 - the name of a kind, no password
    """Reading it can give a key or a password away."""
    DENIED = "denied"
    """A person's rule denies reading it."""
    ASKED = "asked"
    """A person's rule wants to be asked before it is read."""


_PROTECTED_FOLDERS = re.compile(
    r"\.(?:git|hg|svn|jj|patchbay|vscode|idea|zed|husky|devcontainer|direnv|cargo|config|ssh|gnupg"
    r"|claude|codex|gemini|cursor|opencode)"
)
_PROTECTED_NAMES = re.compile(
    r"\.bash(?:rc|_profile|_login|_logout|_aliases)|\.z(?:shrc|profile|shenv|login|logout)|\.profile|\.(?:k|c|tc)shrc"
    r"|\.login|\.inputrc|\.envrc|\.direnvrc|\.git(?:config|modules|attributes)|\.?mcp\.json|\.ripgreprc|\.npmrc"
    r"|\.yarnrc(?:\.yml)?|\.pnpmfile\.cjs|\.pypirc|\.(?:curl|wget|screen|vim|gvim|nvim|pdb|irb|ex)rc"
    r"|\.tmux\.conf|\.emacs|\.dir-locals\.el|\.(?:gdb|lldb)init|\.pythonrc\.py|\.x(?:initrc|profile|session)"
    r"|\.pre-commit-config\.yaml|\.claude\.json|\.aider\.conf\.yml|\.patchbay\.toml"
)
_SECRET_FOLDERS = re.compile(r"\.(?:ssh|gnupg|aws|azure|gcloud|kube|password-store|docker)")
_SECRET_NAMES = re.compile(
    r"\.env|\.env\..+|.+\.env|\.?envrc|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.+_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|ovpn|tfstate|tfvars)"
    r"|[._]netrc|\.pgpass|\.my\.cnf|\.npmrc|\.pypirc|\.git-credentials|\.htpasswd|\.vault[-_]token|\.dockercfg"
    r"|credentials(?:\.(?:json|ya?ml|toml|ini|db))?|secrets?\.(?:json|ya?ml|toml|ini|env)"
    r"|service[-_]account.*\.json|client_secret.*\.json|auth\.json|kubeconfig"
)
_TEMPLATE = re.compile(r".*[._-](?:example|sample|template|dist|defaults?)(?:\.[a-z]+)?|.+\.pub")


def concern_of(parts: Iterable[str], *, writing: bool) -> tuple[Concern, str] | None:
    """The concern about a path given as its components, with the reason in words; None for an ordinary path."""
    folded = [_folded(part) for part in parts]
    name = folded[-1] if folded else ""
    if writing:
        for part in folded:
            if _PROTECTED_FOLDERS.fullmatch(part):
                return Concern.PROTECTED, f"{part} is read by other programs"
        if _PROTECTED_NAMES.fullmatch(name):
            return Concern.PROTECTED, f"{name} can make other programs run code"
    for part in folded[:-1]:
        if _SECRET_FOLDERS.fullmatch(part):
            return Concern.SECRET, f"{part} usually holds keys"
    if _SECRET_NAMES.fullmatch(name) and not _TEMPLATE.fullmatch(name):
        return Concern.SECRET, f"{name} usually holds secrets"
    return None


def _folded(part: str) -> str:
    """One spelling for names that some file system would take for the same file."""
    plain = part if part.isascii() else unicodedata.normalize("NFKC", part)
    kept = plain if plain.isascii() else "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return kept.casefold().rstrip(" .") or kept
