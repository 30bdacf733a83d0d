import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.tui.path_index import MOST_SHOWN, PathIndex

FILES = [
    "README.md",
    "app/engine/state.py",
    "app/engine/store.py",
    "app/tui/widgets/prompt.py",
    "app/tui/widgets/prompt_box.py",
    "docs/Prompting.md",
    "tests/app/engine/test_state.py",
    ".github/workflows/ci.yml",
    "src/state/index.ts",
]


@pytest.fixture(scope="module")
def index():
    return PathIndex(FILES)


def best(index, query):
    return [hit.path for hit in index.match(query)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("state.py", "app/engine/state.py"),
        ("state", "src/state/"),
        ("prompt", "app/tui/widgets/prompt.py"),
        ("prompt_", "app/tui/widgets/prompt_box.py"),
        ("PROMPTING", "docs/Prompting.md"),
        ("engine/st", "app/engine/state.py"),
        ("app/engine/store.py", "app/engine/store.py"),
        ("./README.md", "README.md"),
        ("test_st", "tests/app/engine/test_state.py"),
        ("pbox", "app/tui/widgets/prompt_box.py"),
        ("aes", "app/engine/state.py"),
        ("ci.yml", ".github/workflows/ci.yml"),
        ("engine/", "app/engine/"),
    ],
)
def test_what_is_meant_comes_first(index, query, first):
    assert best(index, query)[0] == first


def test_names_come_before_words_before_letters_in_between():
    index = PathIndex(["x/ab.txt", "x/y_ab.txt", "x/cab.txt", "x/a_b.txt", "x/none.txt"])
    assert best(index, "ab") == ["x/ab.txt", "x/y_ab.txt", "x/cab.txt", "x/a_b.txt"]


def test_files_come_before_folders_unless_the_folder_is_called_so():
    index = PathIndex(["lib/one.py", "library.py", "libs/two.py"])
    assert best(index, "lib")[:3] == ["lib/", "library.py", "libs/"]


def test_nothing_typed_shows_the_top_folders_first(index):
    assert best(index, "") == ["app/", "docs/", "src/", "tests/", ".github/", "README.md"]


def test_what_fits_nothing_and_an_empty_workspace(index):
    assert best(index, "zzz") == []
    assert best(PathIndex([]), "a") == []
    assert best(PathIndex([]), "") == []


def test_no_more_than_are_shown():
    assert len(PathIndex([f"file{number}" for number in range(500)]).match("file")) == MOST_SHOWN


def test_the_letters_that_fit_are_marked(index):
    for query in ("prompt", "engine/st", "pbox", "state"):
        for hit in index.match(query):
            assert "".join(hit.path[mark] for mark in hit.marks).lower() == query


LETTERS = st.text("abA/._-", min_size=1, max_size=6)
NAMES = st.lists(
    st.lists(st.text("abA._-", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join),
    max_size=12,
    unique=True,
)


@given(NAMES, LETTERS)
def test_every_path_that_holds_the_letters_in_order_is_found_and_no_other(files, query):
    index = PathIndex(files)
    wanted = query.lower().removeprefix("./")
    found = index.match(query, limit=1000)
    for hit in found:
        rest = iter(hit.path.lower())
        assert all(sign in rest for sign in wanted)
        assert list(hit.marks) == sorted(set(hit.marks))
        assert not hit.marks or "".join(hit.path[mark] for mark in hit.marks).lower() == wanted
    if wanted and not wanted.startswith("/"):
        whole = {path for path in index.paths if wanted in path.lower()}
        assert whole <= {hit.path for hit in found}
