"""The settings of a session, layered: defaults < user file < project file (trusted folders only) < environment
< command line.

Nothing below ``app`` sees these classes: ``provider_configs`` and ``prices`` turn them into the plain values
that providers understand.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

import pydantic_settings
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, InitSettingsSource, PydanticBaseSettingsSource

from ..providers.base import ModelRef, Price, ProviderConfigError
from ..providers.presets import preset_of_url
from ..providers.registry import DEFAULT_KIND, ProviderConfig, choose_preset
from ..tools.base import Mode
from .config_file import (
    ConfigFile,
    FileSchema,
    SettingsError,
    TomlTable,
    has_literal_key,
    interpolate,
    read_config_file,
)
from .engine.context import DEFAULT_COMPACT_AT
from .folder_config import PROJECT_SETTINGS, FolderConfig, look_at
from .paths import find_paths, project_config
from .setting_tables import (
    BudgetTable,
    LogLevel,
    PolicyTable,
    PriceTable,
    SandboxTable,
    SessionsTable,
    TelemetryTable,
    VerifyTable,
    Words,
)

__all__ = ["Settings", "SettingsError", "load_settings"]

DEFAULT_STEP_LIMIT = 50
"""Requests one prompt may cause before the person is asked to go on."""
LEAST_WINDOW = 256
"""Tokens. Nothing that works with tools fits a smaller window: the number is a mistake."""
PROJECT_KEYS = frozenset({"model", "default_provider", "theme", "ascii"})
"""What a project's own file may set: taste, never addresses, keys, prices or permissions."""


def _flat(value: Any) -> Any:
    """``chat.copy = "y"`` in TOML is a table in a table; as the id of an action it is one name with a dot in it."""
    if not isinstance(value, dict):
        return value
    names: dict[str, Any] = {}
    for name, inner in cast("TomlTable", value).items():
        if isinstance(inner, dict):
            names |= {f"{name}.{rest}": keys for rest, keys in cast("TomlTable", _flat(inner)).items()}
        else:
            names[name] = inner
    return names


def _json(value: Any) -> Any:
    """Numbers as JSON has them: TOML's were read as decimals for the sake of prices."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [_json(item) for item in cast("list[Any]", value)]
        case dict():
            return {key: _json(item) for key, item in cast("TomlTable", value).items()}
        case _:
            return value


class ProviderTable(BaseModel):
    """``[provider]`` or ``[providers.NAME]``: where a model server is and what opens it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: str | None = None
    preset: str | None = None
    kind: str | None = None
    type: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    api_key_env: str | None = None
    model: str | None = None
    models: Words = ()
    headers: dict[str, SecretStr] = {}
    options: Annotated[dict[str, JsonValue], BeforeValidator(_json)] = {}
    """Fields added to every request body."""
    problems: tuple[str, ...] = ()
    """Why it cannot be used; found while reading, never read from a file."""

    def config(self, name: str, where: str, kind: str | None = None) -> ProviderConfig:
        """The plain value; ``name``, ``where`` and ``kind`` stand in for what the table leaves open."""
        return ProviderConfig(
            name=self.name or name,
            preset=self.preset,
            kind=self.kind or kind,
            type=self.type,
            dialect=self.dialect,
            base_url=self.base_url,
            api_key=self.api_key.get_secret_value() if self.api_key else None,
            api_key_env=self.api_key_env,
            model=self.model,
            models=self.models,
            headers={header: value.get_secret_value() for header, value in self.headers.items()},
            options=self.options,
            where=where,
            problem=" ".join(self.problems),
        )


class FileTables(BaseModel):
    """What one settings file may hold. Every key is optional."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    model: str | None = None
    """``provider/model``, or a model id of the default provider."""
    default_provider: str | None = None
    fallback: Words = ()
    """Models, as ``provider/model``, that go on in this order when the one that answers is out."""
    provider: ProviderTable | None = None
    providers: dict[str, ProviderTable] = {}
    pricing: dict[str, PriceTable] = {}
    context_windows: Annotated[dict[str, Annotated[int, Field(ge=LEAST_WINDOW)]], BeforeValidator(_flat)] = {}
    """Tokens of the windows of models, by model id or ``provider/model``."""
    policy: PolicyTable = PolicyTable()
    sandbox: SandboxTable = SandboxTable()
    sessions: SessionsTable = SessionsTable()
    title_model: str | None = None
    """The model that writes titles of sessions, as ``provider/model``; none: the first prompt is the title."""
    budget: BudgetTable = BudgetTable()
    keys: Annotated[dict[str, Words], BeforeValidator(_flat)] = {}
    """Keys of an action, by its id; they replace the usual ones."""
    mode: Mode = Mode.ASK
    """How much runs unasked when a session begins."""
    theme: str | None = None
    ascii: bool = False
    """Only signs that every terminal has."""
    step_limit: int = Field(default=DEFAULT_STEP_LIMIT, ge=1)
    verify: VerifyTable = VerifyTable()
    telemetry: TelemetryTable = TelemetryTable()
    log_level: LogLevel = "info"
    """What is written to the local log: ``debug``, ``info``, ``warning``, ``error`` or ``off``."""
    auto_compact: bool = True
    """Whether room is made in the model's window before a request would not fit, and when it did not."""
    compact_at: Annotated[float, BeforeValidator(_json), Field(gt=0.2, le=1)] = DEFAULT_COMPACT_AT
    """The share of the window from which it is made."""

    @field_validator("fallback")
    @classmethod
    def _are_models(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ModelRef.parse(model)) for model in models)

    @field_validator("title_model")
    @classmethod
    def _is_model(cls, model: str | None) -> str | None:
        return str(ModelRef.parse(model)) if model else None


class Settings(FileTables, BaseSettings):
    """All settings of one session. Made by ``load_settings``."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix="PATCHBAY_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    config_file: Path = Path()
    """The user file, whether it exists or not."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the files without stopping them from being used."""

    def provider_configs(self) -> tuple[ProviderConfig, ...]:
        """Every configured provider, that of ``[provider]`` first."""
        named = [
            table.config(name, f"[providers.{name}] in {self.config_file}") for name, table in self.providers.items()
        ]
        if self.provider is None:
            return tuple(named)
        return (self._main_config(self.provider, {config.name for config in named}), *named)

    def prices(self) -> dict[str, Price]:
        """The person's own prices by model id."""
        return {model: Price(**table.model_dump()) for model, table in self.pricing.items()}

    def fallback_chain(self) -> tuple[ModelRef, ...]:
        """The models that go on when another one is out, in this order."""
        return tuple(ModelRef.parse(text) for text in self.fallback)

    def start_provider(self) -> str | None:
        """The provider to begin with: the default one, else that of ``[provider]``, else the only one there is."""
        configs = self.provider_configs()
        if self.default_provider or not configs:
            return self.default_provider
        return configs[0].name if self.provider is not None or len(configs) == 1 else None

    def start_model(self, known: Iterable[str]) -> tuple[str | None, str | None]:
        """Provider and model to begin with, None where the settings leave it open.

        ``known`` are the names of all providers there are. ``anthropic/claude-sonnet-4`` is a model of
        ``anthropic`` when there is such a provider, else a model id of the provider to begin with.
        """
        provider = self.start_provider()
        if self.model is None:
            models = {config.name: config.model for config in self.provider_configs()}
            return provider, models.get(provider) if provider else None
        prefix, slash, rest = self.model.partition("/")
        if slash and rest and (prefix in set(known) or provider is None):
            return prefix, rest
        # A bare model id with no provider configured at all belongs to the default kind's own service.
        return provider or (None if self.providers else DEFAULT_KIND), self.model

    def _main_config(self, table: ProviderTable, taken: Collection[str]) -> ProviderConfig:
        """``[provider]`` has no name of its own: it gets that of the service it points to."""
        says_what = table.kind or table.type or table.preset or table.dialect
        at_known_address = table.base_url is not None and preset_of_url(table.base_url) is not None
        kind = None if says_what or at_known_address else DEFAULT_KIND
        config = table.config("", f"[provider] in {self.config_file}", kind)
        try:
            name = choose_preset(config).name
        except (ProviderConfigError, ValueError):
            name = config.kind or "custom"
        return table.config(name if name not in taken else "default", config.where, kind)


def load_settings(
    folder: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    trusted: bool | FolderConfig = False,
    config_file: Path | None = None,
) -> Settings:
    """Read and layer the settings for work in ``folder``.

    ``overrides`` come from the command line; None in it means not given. The project's file counts only when the
    folder is ``trusted`` (a ``FolderConfig``: exactly as it was then), and then only ``PROJECT_KEYS`` of it.
    ``config_file`` replaces the user file and must exist.
    Raises SettingsError, whose message names the file, the place and the fix.
    """
    chosen = config_file or (Path(environ["PATCHBAY_CONFIG"]) if environ.get("PATCHBAY_CONFIG") else None)
    user = _read_user_file(chosen or find_paths(environ).config_file, environ, required=chosen is not None)
    project = _read_project_file(folder, trusted) if trusted else ConfigFile(folder, {})
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    given |= {"config_file": user.path, "warnings": (*user.warnings, *project.warnings)}

    class Layered(Settings):
        """Settings that read exactly the layers at hand, never the environment of the process."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                init_settings,
                _Environment(settings_cls, environ),
                InitSettingsSource(settings_cls, init_kwargs=project.values),
                InitSettingsSource(settings_cls, init_kwargs=user.values),
            )

    try:
        return Layered(**given)
    except ValidationError as error:
        raise SettingsError(_invalid("the environment (PATCHBAY_...) or the command line", error)) from None
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"A PATCHBAY_... variable cannot be read: {error}. Tables are written as JSON.") from None


class _Environment(EnvSettingsSource):
    """``PATCHBAY_...`` variables of a given environment; tables nest with two underscores."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self.env_vars = {name.lower(): value for name, value in environ.items() if value}


def _read_user_file(path: Path, environ: Mapping[str, str], *, required: bool) -> ConfigFile:
    config = read_config_file(path, SCHEMA, required=required)
    if has_literal_key(config) and path.stat().st_mode & 0o077:
        config.warn("it holds an API key and others may read it. Close it: chmod 600, or use api_key_env.")
    interpolate(config, environ)
    _place_model(config.values)
    _validate(config)
    return config


def _read_project_file(folder: Path, trusted: bool | FolderConfig) -> ConfigFile:
    """A project's file, without what it may not set. Its ``${VAR}`` stay as they are: a variable is the person's."""
    brought = trusted if isinstance(trusted, FolderConfig) else look_at(folder, Path.home())
    content = brought.content(PROJECT_SETTINGS) or b""
    config = read_config_file(project_config(folder), SCHEMA, content=content)
    _keep_checks(config)
    for key in [key for key in config.values if key not in {*PROJECT_KEYS, "verify"}]:
        del config.values[key]
        config.warn(f"{key!r} is ignored: a project may not set it. Put it into your own settings file.")
    _validate(config)
    return config


def _keep_checks(config: ConfigFile) -> None:
    """Of ``[verify]`` a project may name its checks, which ask like any other command; not how often they run."""
    table = cast("TomlTable", config.values.get("verify", {}))
    for key in [key for key in table if key != "checks"]:
        del table[key]
        config.warn(f"'verify.{key}' is ignored: a project may only name checks. Put it into your own settings file.")


def _place_model(values: TomlTable) -> None:
    """A model beside ``[provider]`` is that provider's, slashes and all, unless it names another configured one."""
    model, table = values.get("model"), values.get("provider")
    if not isinstance(model, str) or not isinstance(table, dict):
        return
    if model.partition("/")[0] not in values.get("providers", {}):
        cast("TomlTable", table).setdefault("model", values.pop("model"))


def _validate(config: ConfigFile) -> None:
    """Check one file by itself, so that an error can name it."""
    try:
        FileTables.model_validate(config.values)
    except ValidationError as error:
        raise SettingsError(_invalid(str(config.path), error)) from None


def _invalid(source: str, error: ValidationError) -> str:
    """Where and what, never the value: it may be a key."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"{source}: {place}: {first['msg'][:1].lower()}{first['msg'][1:]}. Correct that value."


_PROVIDER_KEYS = frozenset(ProviderTable.model_fields) - {"problems"}
SCHEMA = FileSchema(
    root=frozenset(FileTables.model_fields),
    tables={
        "provider": _PROVIDER_KEYS,
        "policy": frozenset(PolicyTable.model_fields),
        "sandbox": frozenset(SandboxTable.model_fields),
        "verify": frozenset(VerifyTable.model_fields),
        "telemetry": frozenset(TelemetryTable.model_fields),
        "sessions": frozenset(SessionsTable.model_fields),
        "budget": frozenset(BudgetTable.model_fields),
    },
    named={"providers": _PROVIDER_KEYS, "pricing": frozenset(PriceTable.model_fields)},
)
