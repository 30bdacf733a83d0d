import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.settings import Settings, SettingsError, load_settings
from patchbay.providers.base import Price


class Desk:
    """A person's home folder and a project folder, to lay settings files into."""

    def __init__(self, root: Path) -> None:
        self.config = root / "home/.config/patchbay/config.toml"
        self.config.parent.mkdir(parents=True)
        self.home = root / "home"
        self.folder = root / "shop"
        self.folder.mkdir()

    def user(self, text: str) -> "Desk":
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)
        return self

    def project(self, text: str) -> "Desk":
        (self.folder / ".patchbay").mkdir()
        (self.folder / ".patchbay/config.toml").write_text(text, encoding="utf-8")
        return self

    def load(
        self,
        environ: Mapping[str, str] | None = None,
        trusted: bool = False,
        config_file: Path | None = None,
        **given: Any,
    ) -> Settings:
        environ = {"HOME": str(self.home), **(environ or {})}
        return load_settings(self.folder, environ=environ, overrides=given, trusted=trusted, config_file=config_file)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# -- layers ------------------------------------------------------------------------------------------------------------


def test_nothing_configured_gives_defaults(desk: Desk) -> None:
    settings = desk.load()
    assert settings.provider_configs() == ()
    assert settings.step_limit == 50
    assert settings.start_model(["anthropic"]) == (None, None)
    assert settings.warnings == ()


def test_each_layer_wins_over_the_one_below(desk: Desk) -> None:
    desk.user('theme = "user"').project('theme = "project"')
    assert desk.load().theme == "user"
    assert desk.load(trusted=True).theme == "project"
    assert desk.load({"PATCHBAY_THEME": "environment"}, trusted=True).theme == "environment"
    assert desk.load({"PATCHBAY_THEME": "environment"}, trusted=True, theme="command line").theme == "command line"


def test_tables_merge_key_by_key(desk: Desk) -> None:
    desk.user('[provider]\nkind = "openai"\nbase_url = "http://localhost:8000/v1"\nmodel = "a"')
    (config,) = desk.load({"PATCHBAY_PROVIDER__MODEL": "b"}).provider_configs()
    assert (config.base_url, config.model) == ("http://localhost:8000/v1", "b")


def test_override_of_none_means_not_given(desk: Desk) -> None:
    assert desk.user("step_limit = 7").load(step_limit=None).step_limit == 7


def test_environment_of_the_process_is_not_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_THEME", "leaked")
    assert desk.load().theme is None


def test_other_variables_of_ours_are_no_settings(desk: Desk) -> None:
    assert desk.load({"PATCHBAY_CASES": "/cases", "PATCHBAY_MAKE_RUN": "1"}).warnings == ()


def test_another_settings_file_can_be_named(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('theme = "other"')
    desk.user('theme = "user"')
    assert desk.load(config_file=other).theme == "other"
    assert desk.load({"PATCHBAY_CONFIG": str(other)}).theme == "other"


def test_named_settings_file_must_exist(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: there is no such file"):
        desk.load(config_file=tmp_path / "none.toml")


# -- the tables of the providers --------------------------------------------------------------------------------------


def test_anthropic_is_the_default_kind(desk: Desk) -> None:
    (config,) = desk.user('[provider]\nmodel = "claude-sonnet-4-6"').load().provider_configs()
    assert (config.name, config.kind, config.model) == ("anthropic", "anthropic", "claude-sonnet-4-6")


def test_address_of_a_known_service_needs_no_kind(desk: Desk) -> None:
    (config,) = desk.user('[provider]\nbase_url = "https://openrouter.ai/api/v1"').load().provider_configs()
    assert (config.name, config.kind) == ("openrouter", None)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.deepseek.com/v1", "deepseek"),
        ("http://localhost:11434/v1", "ollama"),
        ("https://models.corp.example/v1", "custom"),
    ],
)
def test_main_provider_is_named_after_its_service(desk: Desk, address: str, name: str) -> None:
    (config,) = desk.user(f'[provider]\nkind = "openai"\nbase_url = "{address}"').load().provider_configs()
    assert (config.name, config.kind) == (name, "openai")


def test_main_provider_keeps_clear_of_a_named_one(desk: Desk) -> None:
    desk.user('[provider]\nkind = "openai"\n[providers.openai]\nmodel = "gpt-4o"')
    assert [config.name for config in desk.load().provider_configs()] == ["default", "openai"]


def test_model_is_accepted_in_the_table_and_at_the_root(desk: Desk) -> None:
    table = '[provider]\nkind = "openai"\nbase_url = "https://openrouter.ai/api/v1"\n'
    for text in (table + 'model = "anthropic/claude-sonnet-4"', 'model = "anthropic/claude-sonnet-4"\n' + table):
        settings = desk.user(text).load()
        assert settings.start_model(["anthropic", "openrouter"]) == ("openrouter", "anthropic/claude-sonnet-4")


def test_root_model_may_name_another_configured_provider(desk: Desk) -> None:
    desk.user('model = "work/big"\n[provider]\nkind = "anthropic"\n[providers.work]\nbase_url = "http://w/v1"')
    assert desk.load().start_model(["anthropic", "work"]) == ("work", "big")


def test_model_of_the_command_line_names_any_provider_there_is(desk: Desk) -> None:
    desk.user('[provider]\nkind = "openai"\nbase_url = "https://openrouter.ai/api/v1"')
    assert desk.load(model="demo/script").start_model(["openrouter", "demo"]) == ("demo", "script")
    assert desk.load(model="qwen/qwen3").start_model(["openrouter"]) == ("openrouter", "qwen/qwen3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('model = "claude-sonnet-4-6"', ("anthropic", "claude-sonnet-4-6")),
        ('model = "m"\n[providers.one]\nbase_url = "http://one/v1"', ("one", "m")),
        ('model = "m"\ndefault_provider = "two"\n[providers.one]\n[providers.two]', ("two", "m")),
        ('defaultProvider = "two"\n[providers.one]\nmodel = "a"\n[providers.two]\nmodel = "b"', ("two", "b")),
        ('[providers.one]\nmodel = "a"\n[providers.two]\nmodel = "b"', (None, None)),
        ('model = "m"\n[providers.one]\n[providers.two]', (None, "m")),
    ],
)
def test_where_to_begin(desk: Desk, text: str, expected: tuple[str | None, str | None]) -> None:
    assert desk.user(text).load().start_model(["anthropic", "one", "two"]) == expected


def test_other_spellings_mean_the_same(desk: Desk) -> None:
    desk.user('[providers.lab]\ntype = "x"\napiBase = "http://l/v1"\napiKeyEnv = "LAB"\nmodels = "m"\n')
    (config,) = desk.load().provider_configs()
    assert (config.base_url, config.api_key_env, config.models, config.type) == ("http://l/v1", "LAB", ("m",), "x")


def test_body_options_are_plain_json(desk: Desk) -> None:
    desk.user("[providers.a]\noptions = {temperature = 0.2, stop = ['x'], n = {deep = 1.5}}")
    (config,) = desk.load().provider_configs()
    assert json.loads(json.dumps(config.options)) == {"temperature": 0.2, "stop": ["x"], "n": {"deep": 1.5}}


def test_list_of_named_tables_means_the_same(desk: Desk) -> None:
    desk.user('[[providers]]\nname = "a"\nmodel = "m"\n[[providers]]\nname = "b"')
    assert [config.name for config in desk.load().provider_configs()] == ["a", "b"]


def test_list_entry_without_a_name_is_refused(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="needs a name"):
        desk.user('[[providers]]\nmodel = "m"').load()


def test_table_written_as_a_value_is_refused(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"Write it as \[provider\]"):
        desk.user('provider = "anthropic"').load()


# -- money -------------------------------------------------------------------------------------------------------------


def test_prices_are_exact_and_model_ids_may_hold_any_sign(desk: Desk) -> None:
    desk.user(
        '[pricing."qwen3-coder:30b"]\ninput_per_mtok = 0.0\noutput_per_mtok = 0\n'
        '[pricing."deepseek/v3.1"]\ninput_per_mtok = 0.14\noutput_per_mtok = 0.28\ncache_read_per_mtok = 0.014\n'
    )
    prices = desk.load().prices()
    assert prices["qwen3-coder:30b"].free
    assert prices["deepseek/v3.1"] == Price(
        input_per_mtok=Decimal("0.14"), output_per_mtok=Decimal("0.28"), cache_read_per_mtok=Decimal("0.014")
    )


def test_windows_of_models_by_any_id(desk: Desk) -> None:
    desk.user('[context_windows]\n"qwen3:30b" = 16_384\nllama3.1 = 8192\n"mine/special" = 4096\n')
    settings = desk.load()
    assert settings.context_windows == {"qwen3:30b": 16_384, "llama3.1": 8192, "mine/special": 4096}
    assert settings.warnings == ()


@pytest.mark.parametrize("window", ["0", "-5", "32", '"large"', "1.5"])
def test_an_impossible_window_is_refused(desk: Desk, window: str) -> None:
    with pytest.raises(SettingsError, match=r"config\.toml: context_windows\.m"):
        desk.user(f"[context_windows]\nm = {window}").load()


@pytest.mark.parametrize("price", ["-1", "nan", "inf", '"cheap"'])
def test_impossible_price_is_refused(desk: Desk, price: str) -> None:
    with pytest.raises(SettingsError, match=r"config\.toml: pricing\.m\.input_per_mtok"):
        desk.user(f'[pricing."m"]\ninput_per_mtok = {price}\noutput_per_mtok = 1').load()


# -- variables ---------------------------------------------------------------------------------------------------------


def test_variables_are_filled_in_several_a_string(desk: Desk) -> None:
    desk.user('[providers.work]\nbase_url = "http://${HOST}:${PORT}/v1"\nheaders = {X-Team = "${TEAM}"}')
    (config,) = desk.load({"HOST": "h", "PORT": "80", "TEAM": "red"}).provider_configs()
    assert (config.base_url, dict(config.headers)) == ("http://h:80/v1", {"X-Team": "red"})


@pytest.mark.parametrize("environ", [{}, {"NOPE": ""}])
def test_unset_variable_disables_only_its_provider(desk: Desk, environ: dict[str, str]) -> None:
    desk.user('[providers.work]\napi_key = "x-${NOPE}"\nmodel = "m"\n[providers.home]\nmodel = "m"')
    work, home = desk.load(environ).provider_configs()
    assert work.api_key is None
    for part in (
        "Environment variable NOPE is not set",
        "'api_key' in [providers.work]",
        str(desk.config),
        "export NOPE",
    ):
        assert part in work.problem
    assert home.problem == ""


def test_unset_variable_elsewhere_is_an_error(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"THEME is not set .*'theme' of .*config\.toml"):
        desk.user('theme = "${THEME}"').load()


def test_key_that_is_one_variable_is_read_at_every_request(desk: Desk) -> None:
    desk.user('[providers.or]\napi_key = "${OR_KEY}"')
    (config,) = desk.load({"OR_KEY": "sk-secret"}).provider_configs()
    assert (config.api_key, config.api_key_env) == (None, "OR_KEY")


def test_problem_cannot_be_written_in_a_file(desk: Desk) -> None:
    settings = desk.user('[providers.a]\nproblems = ["boo"]').load()
    assert settings.provider_configs()[0].problem == ""
    assert "unknown key 'problems' in [providers.a]" in settings.warnings[0]


def test_keys_show_up_nowhere(desk: Desk) -> None:
    settings = desk.user(
        '[providers.a]\napi_key = "sk-very-secret"\nheaders = {Authorization = "Bearer sk-very-secret"}'
    ).load()
    (config,) = settings.provider_configs()
    assert config.api_key == "sk-very-secret"
    for text in (repr(settings), str(settings), repr(config), settings.model_dump_json()):
        assert "sk-very-secret" not in text


def test_file_with_a_key_that_others_may_read_is_warned_of(desk: Desk) -> None:
    desk.user('[provider]\napi_key = "sk-1234567"')
    assert desk.load().warnings == ()
    desk.config.chmod(0o644)
    (warning,) = desk.load().warnings
    assert "chmod 600" in warning
    assert "sk-1234567" not in warning


# -- what is wrong with a file -----------------------------------------------------------------------------------------


def test_malformed_toml_names_file_line_column_and_shows_the_line(desk: Desk) -> None:
    with pytest.raises(SettingsError) as caught:
        desk.user('theme = "dark"\nmodel = gpt-4o\n').load()
    message = str(caught.value)
    assert f"{desk.config}:2:9: not valid TOML" in message
    assert "    model = gpt-4o\n" in message
    assert "Correct line 2" in message


def test_malformed_toml_never_shows_a_key(desk: Desk) -> None:
    with pytest.raises(SettingsError) as caught:
        desk.user('[provider]\napi_key = "hunter2-not-shaped-like-a-key\n').load()
    assert "hunter2" not in str(caught.value)
    assert "[not shown]" in str(caught.value)


def test_wrong_type_names_the_place_and_not_the_value(desk: Desk) -> None:
    with pytest.raises(SettingsError) as caught:
        desk.user("[provider]\napi_key = 31337").load()
    assert f"{desk.config}: provider.api_key: " in str(caught.value)
    assert "31337" not in str(caught.value)


def test_wrong_value_in_the_environment_is_named_as_such(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"environment.*step_limit"):
        desk.load({"PATCHBAY_STEP_LIMIT": "many"})
    with pytest.raises(SettingsError, match="written as JSON"):
        desk.load({"PATCHBAY_PROVIDERS": "{"})


def test_unknown_keys_are_warned_of_with_what_was_meant(desk: Desk) -> None:
    settings = desk.user('thme = "dark"\n[provider]\nbase_ulr = "http://x"\n[providers.y]\nmodle = "m"').load()
    assert settings.warnings == (
        f"{desk.config}: unknown key 'thme'; did you mean 'theme'?",
        f"{desk.config}: unknown key 'base_ulr' in [provider]; did you mean 'base_url'?",
        f"{desk.config}: unknown key 'modle' in [providers.y]; did you mean 'model' or 'models'?",
    )


def test_file_that_is_no_text_is_refused(desk: Desk) -> None:
    desk.config.write_bytes(b'theme = "\xff"')
    with pytest.raises(SettingsError, match="byte 9 is not UTF-8"):
        desk.load()


def test_folder_in_place_of_the_file_is_refused(desk: Desk) -> None:
    desk.config.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        desk.load()


@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused_with_the_file_name(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "config.toml"
    file.write_text(text, encoding="utf-8", newline="", errors="replace")
    try:
        load_settings(file.parent, environ={"HOME": str(file.parent)}, config_file=file)
    except SettingsError as error:
        assert str(file) in str(error)


# -- the project's file ------------------------------------------------------------------------------------------------


def test_project_file_of_an_untrusted_folder_is_not_even_read(desk: Desk) -> None:
    assert desk.project("this is no toml").load().warnings == ()


def test_project_file_sets_taste_and_nothing_else(desk: Desk) -> None:
    desk.user('[provider]\nkind = "openai"\nbase_url = "http://mine/v1"\n')
    desk.project(
        'theme = "light"\nstep_limit = 9999\n[provider]\nbase_url = "http://evil/v1"\n[policy]\nallow = ["bash:*"]\n'
        '[providers.evil]\nbase_url = "http://evil/v1"\n[pricing."m"]\ninput_per_mtok = 0\noutput_per_mtok = 0\n'
    )
    settings = desk.load(trusted=True)
    assert settings.theme == "light"
    assert [config.base_url for config in settings.provider_configs()] == ["http://mine/v1"]
    assert (settings.policy.allow, settings.step_limit, settings.prices()) == ((), 50, {})
    ignored = {warning.split("'")[1] for warning in settings.warnings}
    assert ignored == {"provider", "policy", "providers", "pricing", "step_limit"}


def test_project_file_cannot_read_variables(desk: Desk) -> None:
    desk.project('model = "anthropic/${ANTHROPIC_API_KEY}"')
    settings = desk.load({"ANTHROPIC_API_KEY": "sk-secret"}, trusted=True)
    assert settings.model == "anthropic/${ANTHROPIC_API_KEY}"


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_policy_and_keys(desk: Desk) -> None:
    settings = desk.user(
        'ascii = true\n[policy]\nallow = "bash:echo hi"\n[keys]\napp.quit = ["f10", "ctrl+x"]\n"chat.next" = "n"'
    ).load()
    assert settings.policy.allow == ("bash:echo hi",)
    assert settings.keys == {"app.quit": ("f10", "ctrl+x"), "chat.next": ("n",)}
    assert settings.ascii


def test_rule_that_is_none_is_refused_with_an_example(desk: Desk) -> None:
    with pytest.raises(
        SettingsError, match=r"config\.toml: policy\.allow: .*'bash\(ls\)' is not a rule: write tool:pattern"
    ):
        desk.user('[policy]\nallow = ["bash(ls)"]').load()


def test_the_failover_chain_is_a_list_of_models_or_one(desk: Desk) -> None:
    chain = desk.user('fallback = ["anthropic/claude-sonnet-4-6", "ollama/qwen3-coder:30b"]').load().fallback_chain()
    assert [str(ref) for ref in chain] == ["anthropic/claude-sonnet-4-6", "ollama/qwen3-coder:30b"]
    assert [str(ref) for ref in desk.user('fallback = "groq/a/b"').load().fallback_chain()] == ["groq/a/b"]
    assert desk.user("").load().fallback_chain() == ()


def test_a_failover_chain_names_provider_and_model(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"fallback.*'qwen3' is no model reference: write provider/model"):
        desk.user('fallback = ["qwen3"]').load()


def test_the_title_model_is_a_provider_and_a_model(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('title_model = "ollama/tiny:1b"\n[sessions]\nkeep_days = 90\n')
    settings = load_settings(tmp_path, environ={}, config_file=file)
    assert settings.title_model == "ollama/tiny:1b"
    assert (settings.sessions.keep_days, settings.sessions.keep_removed_days) == (90, 30)
    file.write_text('title_model = "tiny"\n')
    with pytest.raises(SettingsError, match="title_model"):
        load_settings(tmp_path, environ={}, config_file=file)


def test_budgets_are_exact_amounts(desk: Desk) -> None:
    desk.user('[budget]\nsession = 2.00\nday = 5\nask_above = 0.50\nwarn_at = 0.9\nunknown_price = "ask"\n')
    budget = desk.load().budget
    assert (budget.session, budget.day, budget.month) == (Decimal("2.00"), Decimal(5), None)
    assert (budget.ask_above, budget.warn_at, budget.unknown_price) == (Decimal("0.50"), Decimal("0.9"), "ask")


@pytest.mark.parametrize("line", ["session = 0", "day = -1", 'month = "much"', "warn_at = 1.5", 'unknown_price = "no"'])
def test_a_budget_that_is_none_names_its_place(desk: Desk, line: str) -> None:
    desk.user(f"[budget]\n{line}\n")
    with pytest.raises(SettingsError, match=rf"budget\.{line.partition(' ')[0]}"):
        desk.load()
