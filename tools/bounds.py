"""Cuts results for the model to a number of bytes, and says what was cut."""


def size(text: str) -> int:
    """Bytes of ``text`` as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def clipped(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes: its beginning and its end, with a line between that says what is missing."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    room = limit - 80
    if room < 80:
        return data[:limit].decode("utf-8", "ignore")
    tail = data[len(data) - room // 3 :].decode("utf-8", "ignore")
    head = data[: room - room // 3].decode("utf-8", "ignore")
    return f"{head}\n[… {len(data) - room:,} of {len(data):,} bytes left out …]\n{tail}"


def joined_lines(lines: list[str], limit: int) -> tuple[str, int]:
    """As many of the first lines as fit in ``limit`` bytes, joined, and their number."""
    used = 0
    for count, line in enumerate(lines):
        used += size(line) + 1
        if used > limit + 1:
            return "\n".join(lines[:count]), count
    return "\n".join(lines), len(lines)
