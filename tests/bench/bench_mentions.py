"""How long one key of a mention takes among 100,000 files, against looking for the letters in each path once.

Run it as ``python tests/bench/bench_mentions.py`` for a table, or with ``pytest -s``. Times are CPU milliseconds of
this process; the bound is a ratio, so that a slow machine changes nothing.
"""

import random
import statistics
import time

from patchbay.app.tui.path_index import PathIndex

FILES = 100_000
ROUNDS = 5
MOST = 4.0
"""Times the plain look, which takes some 7 ms on an ordinary machine; the slowest may take twice as long."""
WORDS = [
    "app",
    "core",
    "util",
    "test",
    "model",
    "view",
    "index",
    "main",
    "config",
    "parser",
    "lexer",
    "token",
    "stream",
    "client",
    "server",
    "handler",
    "route",
    "auth",
    "user",
    "session",
    "cache",
    "store",
    "reduce",
    "action",
    "widget",
    "panel",
    "button",
    "style",
    "theme",
    "layout",
    "engine",
    "runner",
    "bench",
    "data",
    "load",
    "save",
]
ENDINGS = ("py", "ts", "tsx", "js", "md", "json", "go", "rs")
QUERIES = ("t", "te", "test", "zq", "apcov", "tstmdl", "aest", "parserlexer9", "src/en", "core/util/te", ".md", "sssss")


def made_up_files(count: int = FILES) -> list[str]:
    """Paths as a large repository has them, always the same ones."""
    chance = random.Random(7)
    names = [f"{word}{number}" for word in WORDS for number in ("", *range(9))]
    folders = ["/".join(chance.choices(names, k=chance.randint(1, 6))) for _ in range(count // 12)]
    return [
        f"{chance.choice(folders)}/{chance.choice(WORDS)}_{chance.choice(WORDS)}{number}.{chance.choice(ENDINGS)}"
        for number in range(count)
    ]


def milliseconds(work) -> float:
    """CPU time of one call, the median of a few."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


def measured(index: PathIndex, files: list[str]) -> dict[str, tuple[float, float]]:
    """For each query the time of a match and of the plain look."""
    lower = [path.lower() for path in files]
    return {
        query: (
            milliseconds(lambda query=query: index.match(query)),
            milliseconds(lambda query=query: [path for path in lower if query in path]),
        )
        for query in QUERIES
    }


def test_a_key_costs_little_more_than_looking_once_through_all_paths():
    files = made_up_files()
    rows = measured(PathIndex(files), files)
    for query, (match, look) in rows.items():
        print(f"{query:14} {match:6.1f} ms  {match / look:4.1f}x a plain look")
    floor = statistics.median(look for _, look in rows.values())
    assert statistics.median(match for match, _ in rows.values()) <= MOST * floor
    assert max(match for match, _ in rows.values()) <= 2 * MOST * floor


def test_the_index_grows_with_the_number_of_files_and_no_faster():
    files = made_up_files()
    half = milliseconds(lambda: PathIndex(files[: FILES // 2]))
    whole = milliseconds(lambda: PathIndex(files))
    print(f"index of {FILES:,} files: {whole:.0f} ms, {whole / half:.2f}x that of half of them")
    assert whole <= 3.5 * half


if __name__ == "__main__":
    test_a_key_costs_little_more_than_looking_once_through_all_paths()
    test_the_index_grows_with_the_number_of_files_and_no_faster()
