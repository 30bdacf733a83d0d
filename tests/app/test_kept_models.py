import json
from decimal import Decimal
from pathlib import Path

from patchbay.app.kept_models import KeptModels
from patchbay.providers.base import ModelRef
from support.journals import written_session
from support.past_turns import REF

ONE, TWO = ModelRef(provider="a", model="x/y:1"), ModelRef(provider="b", model="z")


def test_favourites_are_kept_for_the_next_session(tmp_path: Path):
    file = tmp_path / "state" / "favourites.json"
    kept = KeptModels(file, tmp_path / "none.db")
    assert kept.toggle(ONE)
    assert kept.toggle(TWO)
    assert KeptModels(file, tmp_path / "none.db").favourites == (ONE, TWO)
    assert not kept.toggle(ONE)
    assert kept.favourites == KeptModels(file, tmp_path / "none.db").favourites == (TWO,)
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_is_not_ours_holds_none(tmp_path: Path):
    for number, content in enumerate(["", "[]", '{"favourites": "x"}', '{"favourites": ["nothing", 3, "a/b", "a/b"]}']):
        file = tmp_path / f"{number}.json"
        file.write_text(content)
        assert len(KeptModels(file, tmp_path / "none.db").favourites) == (number == 3)


def test_a_mark_of_another_process_is_not_lost(tmp_path: Path):
    file = tmp_path / "favourites.json"
    mine, theirs = KeptModels(file, tmp_path / "none.db"), KeptModels(file, tmp_path / "none.db")
    theirs.toggle(TWO)
    mine.toggle(ONE)
    assert json.loads(file.read_text())["favourites"] == [str(TWO), str(ONE)]


def test_recent_models_and_their_record_come_from_the_ledger(tmp_path: Path):
    database = tmp_path / "patchbay.db"
    assert KeptModels(tmp_path / "f.json", database).record(REF) is None
    assert not database.exists()
    written_session(database, "s1", prompts=3, cost=Decimal("0.5"))
    kept = KeptModels(tmp_path / "f.json", database)
    assert kept.recents() == (REF,)
    record = kept.record(REF)
    assert record is not None
    assert (record.calls, record.failed, record.duration_s, record.first_token_s) == (3, 0, 0.5, 0.1)
    assert record.rate == 1.0
    assert kept.record(ONE) is None
