"""Tells from the output of a command that failed whether the sandbox was what stopped it.

It can only guess: programs say what the kernel told them, not why. So only what the sandbox does forbid counts:
a read-only file system, a refusal that names a place outside or a protected name, a network that is not there.
"""

import re
from collections.abc import Callable

from .sandbox_paths import is_protected

_TAIL = 20_000
_READONLY = re.compile(r"read-only file system|\bEROFS\b", re.IGNORECASE)
_REFUSED = re.compile(
    r"permission denied|operation not permitted|\bE(?:ACCES|PERM)\b|could not lock config file|device or resource busy",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"network is unreachable|(?:temporary failure in|could not) (?:name resolution|resolve host)"
    r"|name or service not known"
    r"|\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH)\b|nodename nor servname|no such host|could not resolve"
    r"|failed to establish a new connection|failed to lookup address|couldn't connect to server|dns error",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w.])/[^\s'\":,;()\[\]]+")
_NAME = re.compile(r"[\w.~/-]+")


def blocked(output: str, *, network: bool, writable: Callable[[str], bool]) -> str:
    """What the sandbox seems to have refused, to follow "the sandbox blocked"; empty when nothing points to it.

    ``network`` says whether the sandbox lets it through; ``writable`` whether an absolute path may be written to.
    """
    text = output[-_TAIL:]
    if not network and _NETWORK.search(text):
        return "the network"
    for line in text.splitlines():
        readonly = _READONLY.search(line) is not None
        if readonly or _REFUSED.search(line):
            outside = [path for path in _PATH.findall(line) if not writable(path)]
            if outside:
                return f"access to {outside[0][:200]}"
            protected = [word for word in _NAME.findall(line) if any(is_protected(part) for part in word.split("/"))]
            if protected:
                return f"a change of {protected[0][:200]}"
            if readonly:
                return "a change outside the workspace"
    return ""
