from pathlib import Path

import pytest

from patchbay.app.config_file import SettingsError
from patchbay.app.rules_file import failures, read_rules
from patchbay.tools.rules import Effect

GOOD = """
# mine
[[rule]]
deny = "bash:git push"
match = ["git push origin", "timeout 5 git push"]
not_match = ["git pull"]

[[rule]]
allow = "bash:npm run *"
match = ["npm run lint"]
not_match = ["npm run lint; rm x", "npm publish"]

[[rule]]
ask = "edit:migrations/**"
match = ["migrations/1.sql"]
not_match = ["src/a.py"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return path


def test_rules_keep_their_order_and_say_where_they_stand(tmp_path: Path) -> None:
    rules = read_rules(written(tmp_path, GOOD))
    assert [(str(each.rule), each.rule.effect, each.rule.origin) for each in rules] == [
        ("bash:git push", Effect.DENY, "rules.toml:3"),
        ("bash:npm run *", Effect.ALLOW, "rules.toml:8"),
        ("edit:migrations/**", Effect.ASK, "rules.toml:13"),
    ]
    assert failures(rules) == []


def test_no_file_means_no_rules(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "rules.toml") == ()


def test_a_test_that_does_not_hold_is_told(tmp_path: Path) -> None:
    text = '[[rule]]\ndeny = "bash:git push"\nmatch = ["git pull"]\nnot_match = ["git push"]\n'
    found = failures(read_rules(written(tmp_path, text)))
    assert [(each.call, each.problem) for each in found] == [
        ("git pull", "should match and does not"),
        ("git push", "should not match and does"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]]\n", "rules.toml:1: say one of allow, ask and deny"),
        ('[[rule]]\nallow = "bash:a"\ndeny = "bash:b"\n', "say one of"),
        ('[[rule]]\nallow = "Bash ls"\n', "tool:pattern"),
        ('[[rule]]\nallow = "bash:a"\nmatches = []\n', "'matches' is not known"),
        ('[[rule]]\nallow = "bash:a"\nmatch = "x"\n', "match is a list"),
        ("[rules]\n", "'rules' is not known"),
        ("[[rule]\n", "rules.toml"),
        ("rule = 3\n", "Write [[rule]] tables"),
    ],
)
def test_a_mistake_names_place_and_fix(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_rules(written(tmp_path, text))
    assert told in str(error.value)
