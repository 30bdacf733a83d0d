"""``patchbay cost`` and ``patchbay stats``: the same sums everywhere, to the last digit; what is wrong in words."""

import csv
import io
import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from patchbay.app.cli import main
from patchbay.app.engine.spending import By
from patchbay.app.paths import find_paths
from support.three_providers import Costly


@pytest.fixture
def database(own_home: Path) -> Path:
    import os

    return find_paths(os.environ).database


@pytest.fixture
async def costly(database: Path) -> Costly:
    played = Costly(database)
    await played.play()
    played.recorder.close()
    return played


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    return out


def as_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("by", By)
async def test_table_csv_json_store_and_rows_have_one_sum(
    costly: Costly, database: Path, capsys: pytest.CaptureFixture[str], by: By
) -> None:
    connection = sqlite3.connect(database)
    in_rows = sum(
        (Decimal(row[0]) for row in connection.execute("SELECT cost FROM calls WHERE cost IS NOT NULL")), Decimal(0)
    )
    connection.close()
    assert in_rows == costly.session.state.totals.cost
    *groups, last = as_csv(printed(capsys, "cost", "--by", by, "--format", "csv"))
    assert last["name"] == "total"
    assert Decimal(last["cost_usd"]) == in_rows == sum(Decimal(each["cost_usd"]) for each in groups)
    found = json.loads(printed(capsys, "cost", "--by", by, "--format", "json"))
    assert Decimal(found["total"]["cost_usd"]) == in_rows
    assert sum(Decimal(each["cost_usd"]) for each in found["groups"]) == in_rows
    assert [each["cost_usd"] for each in found["groups"]] == [each["cost_usd"] for each in groups]
    assert sum(each["calls"] for each in found["groups"]) == found["total"]["calls"] == 9
    table = printed(capsys, "cost", "--by", by)
    assert f"~${in_rows}" in next(line for line in table.splitlines() if line.startswith("total"))


async def test_exports_have_the_ledgers_sum(costly: Costly, capsys: pytest.CaptureFixture[str]) -> None:
    total = costly.session.state.totals.cost
    lines = printed(capsys, "sessions", "export", "session-costly", "--format", "jsonl").splitlines()
    events = [json.loads(line)["event"] for line in lines[1:]]
    amounts = [event["cost"]["amount"] for event in events if event["$type"] == "CallPriced"]
    assert sum(Decimal(amount) for amount in amounts if amount is not None) == total
    for form in ("markdown", "html"):
        assert f"~${total} and 1 calls of unknown price" in printed(
            capsys, "sessions", "export", "session-costly", "--format", form
        )


async def test_a_model_named_like_a_formula_is_no_formula(costly: Costly, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "cost", "--format", "csv")
    assert "openrouter/=HYPERLINK(1)" in text
    connection = sqlite3.connect(costly.ledger.database)
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '"x', "a,b", "x\x1b[31m"]
    for number, name in enumerate(names):
        connection.execute("UPDATE calls SET provider = ? WHERE rowid = ?", (name, number + 1))
    connection.commit()
    connection.close()
    cells = [row["provider"] for row in as_csv(printed(capsys, "cost", "--by", "provider", "--format", "csv"))]
    assert {"'=1+1", "'+1", "'-1", "'@SUM(A1)", "'＝1", '"x', "a,b"} & set(cells)
    for cell in cells:
        assert cell.lstrip()[:1] not in tuple("=+-@＝"), cell
        assert cell.isprintable(), cell


async def test_filters(costly: Costly, capsys: pytest.CaptureFixture[str]) -> None:
    def calls(*words: str) -> int:
        return json.loads(printed(capsys, "cost", "--format", "json", *words))["total"]["calls"]

    assert calls("--provider", "openai") == 2
    assert calls("--model", "anthropic/*") == 5
    assert calls("--since", "2023-11-01", "--until", "2023-11") == 9
    assert calls("--folder", "/src/shop") == calls("--all") == 9
    assert calls("--session", "costly") == calls("--session", "session-cost") == 9
    assert calls("--since", "2023-11-01", "--by", "day") == 9


async def test_cache_breaks_of_one_session_are_in_json(costly: Costly, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "cost", "--session", "session-costly", "--format", "json"))
    (broken,) = found["cache_breaks"]
    assert (broken["lost_tokens"], broken["model"]) == (11_840, "openai/gpt")
    table = printed(capsys, "cost", "--session", "session-costly")
    assert "11,840 tokens sent anew: provider switched from anthropic to openai" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "7y"), "--since: '7y' is no time that can be read. Write 7d"),
        (("--until", "soon"), "--until: 'soon' is no time"),
        (("--since", "1d", "--until", "2d"), "--since 1d is not before --until 2d"),
        (("--session", "nobody"), "no session 'nobody' has cost anything"),
    ],
)
async def test_what_cannot_be_meant_is_said(
    costly: Costly, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capsys, "cost", *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"patchbay: {said}")


def test_an_empty_ledger_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "cost") == (0, "", "Nothing was spent yet: no request was made to a model.\n")
    code, out, err = run(capsys, "cost", "--format", "csv", "--since", "7d")
    assert (code, as_csv(out)[0]["cost_usd"]) == (0, "0.00")
    assert "Nothing was spent that fits" in err
    code, out, err = run(capsys, "stats")
    assert (code, out) == (0, "")
    assert "no model was asked" in err
    assert run(capsys, "stats", "--json")[1] == "{}\n"


async def test_statistics(costly: Costly, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "stats", "--json"))
    assert (found["sessions"], found["prompts"], found["turns"]) == (1, 5, 5)
    assert found["turn_outcomes"] == {"done": 4, "failed": 1}
    assert found["errors"] == {"overloaded": 1, "network": 1}
    assert {each["tool"]: (each["runs"], each["success_rate"]) for each in found["tools"]} == {
        "read": (1, 1.0),
        "bash": (1, 1.0),
    }
    assert Decimal(found["total"]["cost_usd"]) == costly.session.state.totals.cost
    text = printed(capsys, "stats")
    assert "Sessions  1 with 5 prompts in 5 turns" in text
    assert "Errors    1 overloaded, 1 network" in text
    assert f"Cost      ~${costly.session.state.totals.cost} and 1 calls of unknown price" in text
    code, _, err = run(capsys, "stats", "--since", "today")
    assert (code, err) == (0, "Nothing happened in that time.\n")
