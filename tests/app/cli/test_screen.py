"""What follows when the screen is left: the end, the demo, or another session."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from patchbay.app.cli import screen
from patchbay.app.cli.compose import Wish
from patchbay.app.cli.prepared import Prepared
from patchbay.app.cli.sessions import folder_of
from patchbay.app.tui.control import Ending
from patchbay.app.tui.sessions import OpenSession
from support.journals import written_session


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Runs the screen with given endings; returns what was wished for each time, with the settings it got."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()

    def play(*endings, **options):
        left, wished = iter(endings), []

        class Runtime(SimpleNamespace):
            async def aclose(self):
                wished.append("closed")

        def open_runtime(settings, wish):
            wished.append((settings, wish))
            return Runtime(demo=False)

        async def show(_settings, _runtime):
            await asyncio.sleep(0)
            return next(left)

        def prepare(folder: Path) -> Prepared:
            return Prepared(trust=f"trust in {folder.name}", read_settings=lambda: f"settings of {folder.name}")

        monkeypatch.setattr(screen, "open_runtime", open_runtime)
        monkeypatch.setattr(screen, "_show", show)
        here = tmp_path / "here"
        wish = Wish(folder=here, **({"model": "a/b", "resume": True, "trust": "trust in here"} | options))
        assert screen.run_screen(wish, prepare(here), prepare) == 0
        assert wished[1::2] == ["closed"] * len(endings), "each session is closed before the next is opened"
        return wished[::2]

    return play


def test_a_session_of_another_folder_gets_its_trust_and_settings(played, tmp_path):
    there = str(tmp_path / "there")
    first, second = played(OpenSession(folder=there, session_id="session-x"), Ending.QUIT)
    assert first[0] == "settings of here"
    settings, wish = second
    assert settings == "settings of there"
    assert (wish.session, wish.folder, wish.trust) == ("session-x", Path(there), "trust in there")
    assert (wish.model, wish.resume) == (None, False), "the session's own model"


def test_a_new_session_here_begins_with_the_model_in_use(played, tmp_path):
    _, (settings, wish) = played(OpenSession(folder=str(tmp_path / "here"), model="c/d"), Ending.QUIT)
    assert settings == "settings of here"
    assert (wish.session, wish.model, wish.resume, wish.trust) == (None, "c/d", False, "trust in here")


def test_from_the_demo_one_comes_back_to_real_work(played, tmp_path):
    _, (_, wish) = played(OpenSession(folder=str(tmp_path / "here"), session_id="session-x"), Ending.QUIT, demo=True)
    assert not wish.demo
    assert wish.trust == "trust in here"


def test_a_session_is_worked_on_where_it_began(tmp_path):
    database = tmp_path / "p.db"
    assert folder_of(database, "session-a") is None
    assert not database.exists()
    written_session(database, "session-a", folder=str(tmp_path))
    written_session(database, "session-b", folder=str(tmp_path / "gone"))
    assert folder_of(database, "session-a") == tmp_path
    assert folder_of(database, "session-b") is None
    assert folder_of(database, "session") is None
