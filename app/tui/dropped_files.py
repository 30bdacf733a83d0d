"""Files that are dropped on a terminal arrive as a paste of their paths: quoted, escaped, or as ``file:`` addresses."""

import os
import re
from urllib.parse import unquote, urlsplit

from ..engine.mentions import mention_of

_MOST_CHARACTERS = 8192
_PIECE = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"|((?:\\.|[^\s\\'\"])+)")
_ESCAPED = re.compile(r"\\(.)")
_IMAGE = (".png", ".jpg", ".jpeg", ".gif", ".webp")


def as_mentions(pasted: str) -> str:
    """The mentions that a paste of absolute paths of images stands for; empty when it is anything else.

    Only images: a path of another kind may be meant as the text it is.
    """
    text = pasted.strip()
    if len(text) > _MOST_CHARACTERS or not text.startswith(("/", "~/", "file://", "'", '"')):
        return ""
    if _is_image(text):  # one path, with blanks as they are
        return f"{mention_of(text)} "
    paths = [_path(match) for match in _PIECE.finditer(text)]
    if not paths or _PIECE.sub("", text).strip() or not all(map(_is_image, paths)):
        return ""
    return "".join(f"{mention_of(path)} " for path in paths)


def _path(match: re.Match[str]) -> str:
    single, double, plain = match.groups()
    path = single or double or _ESCAPED.sub(r"\1", plain or "")
    return unquote(urlsplit(path).path) if path.startswith("file://") else path


def _is_image(path: str) -> bool:
    if not path.startswith(("/", "~/")) or not path.lower().endswith(_IMAGE) or not path.isprintable():
        return False
    try:
        return os.path.isfile(os.path.expanduser(path))
    except (OSError, ValueError):
        return False
