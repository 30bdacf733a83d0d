"""Lessons outlast the session they were learnt in."""

from pathlib import Path

import pytest

from patchbay.app.kept_lessons import MOST_LESSONS, KeptLessons, KeptProbes
from patchbay.providers.capability import ToolCalling
from patchbay.providers.learnt import Lesson
from patchbay.providers.probed import ProbedModel


def lesson(field: str = "max_tokens", instead: str = "max_completion_tokens") -> Lesson:
    return Lesson(base_url="https://x.example/v1", dialect="openai_chat", model="m", field=field, instead=instead)


def test_what_was_kept_is_read_by_the_next_session(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lessons.json"
    assert KeptLessons(file).read() == ()
    KeptLessons(file).add(lesson())
    KeptLessons(file).add(lesson("stream_options", ""))
    assert KeptLessons(file).read() == (lesson(), lesson("stream_options", ""))


@pytest.mark.parametrize("text", ["", "{}", "[1, null]", '[{"field": "x"}]', '[{"other": 1}]'])
def test_a_file_that_is_not_ours_holds_none_and_is_written_over(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lessons.json"
    file.write_text(text)
    assert KeptLessons(file).read() == ()
    KeptLessons(file).add(lesson())
    assert KeptLessons(file).read() == (lesson(),)


def test_a_place_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    KeptLessons(tmp_path / "file" / "lessons.json").add(lesson())


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    kept = KeptLessons(tmp_path / "lessons.json")
    for at in range(MOST_LESSONS + 3):
        kept.add(lesson(f"field_{at}"))
    assert [each.field for each in kept.read()][:1] == ["field_3"]


# --- how models call tools ----------------------------------------------------------------------------------------


def probe(model: str = "m", tools: ToolCalling = ToolCalling.TEXT) -> ProbedModel:
    return ProbedModel(base_url="http://x.example/v1", dialect="openai_chat", model=model, tools=tools)


def test_the_last_finding_of_a_model_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "probes.json"
    for found in (probe(), probe("n"), probe(tools=ToolCalling.NATIVE)):
        KeptProbes(file).add(found)
    assert KeptProbes(file).read() == (probe("n"), probe(tools=ToolCalling.NATIVE))


@pytest.mark.parametrize("text", ["", "{}", "[1, null]", '[{"tools": "odd", "model": "m"}]', '[{"tools": "text"}]'])
def test_a_file_of_findings_that_is_not_ours_holds_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "probes.json"
    file.write_text(text)
    assert KeptProbes(file).read() == ()
    KeptProbes(file).add(probe())
    assert KeptProbes(file).read() == (probe(),)
