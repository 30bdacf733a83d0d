"""Reads one settings file: TOML with errors a person can act on, one spelling for every key, ``${VAR}`` filled in.

What comes out is plain tables with our own key names, ready to be layered over others (``settings``).
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias, cast

import tomli

from ..providers.redact import redact

TomlTable: TypeAlias = dict[str, Any]

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_LINE = re.compile(r"(?i)^(?P<key>[^=]*(?:key|token|secret|password|authorization)[^=]*=)(?P<value>.*)$")
_OTHER_NAMES = {
    "api_base": "base_url",
    "input_per_million": "input_per_mtok",
    "output_per_million": "output_per_mtok",
}
"""Names other agents use in their settings for what we call something else."""


class SettingsError(Exception):
    """The settings cannot be used; the message names the file, the place and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSchema:
    """The keys a settings file may hold. A table that is keyed by names (providers, prices) has its keys below."""

    root: Collection[str]
    tables: Mapping[str, Collection[str]]
    """Keys of the table of this name."""
    named: Mapping[str, Collection[str]]
    """Keys of every table inside the table of this name."""


@dataclass(slots=True)
class ConfigFile:
    """One settings file, or what is left of it. ``values`` is changed in place while it is read."""

    path: Path
    values: TomlTable
    warnings: list[str] = field(default_factory=list[str])

    def warn(self, message: str) -> None:
        """Note something the person should know that does not stop the file from being used."""
        self.warnings.append(f"{self.path}: {message}")


def read_config_file(
    path: Path, schema: FileSchema, *, required: bool = False, content: bytes | None = None
) -> ConfigFile:
    """Parse the file and give every key our name. A missing file is empty unless ``required``.

    ``content`` stands for what is in the file, when somebody has read it already. Raises SettingsError.
    """
    config = ConfigFile(path, _parse(path, required=required, content=content))
    _rename(config, config.values, schema.root, "")
    for name, keys in schema.tables.items():
        if (table := _table(config, config.values, name)) is not None:
            _rename(config, table, keys, name)
    for name, keys in schema.named.items():
        group = _named_group(config, name)
        for entry in list(group):
            if (table := _table(config, group, entry, f"{name}.")) is not None:
                _rename(config, table, keys, f"{name}.{entry}")
    return config


def interpolate(config: ConfigFile, environ: Mapping[str, str]) -> None:
    """Replace every ``${VAR}`` by its value, several a string.

    An unset or empty variable disables the provider whose table it stands in (``problems`` of that table says
    why); anywhere else it is a SettingsError. An API key that is nothing but ``${VAR}`` becomes ``api_key_env``,
    so that it is read anew for every request and never kept.
    """
    provider_tables = dict(_provider_tables(config.values))
    for place, table in provider_tables.items():
        whole = _VARIABLE.fullmatch(str(table.get("api_key", "")))
        if whole and environ.get(whole[1]) and "api_key_env" not in table:
            table["api_key_env"] = whole[1]
            del table["api_key"]
        problems: list[str] = []
        for key in list(table):
            try:
                table[key] = _filled(table[key], environ)
            except KeyError as unset:
                del table[key]
                problems.append(_unset(str(unset.args[0]), key, place, config.path))
        if problems:
            table["problems"] = problems
    for key, value in config.values.items():
        if key in {"provider", "providers"}:
            continue
        try:
            config.values[key] = _filled(value, environ)
        except KeyError as unset:
            raise SettingsError(_unset(str(unset.args[0]), key, "", config.path)) from None


def has_literal_key(config: ConfigFile) -> bool:
    """True when a key itself, not the name of a variable, stands in the file. Ask before ``interpolate``."""
    keys = (table.get("api_key") for _, table in _provider_tables(config.values))
    return any(isinstance(key, str) and key and not _VARIABLE.search(key) for key in keys)


def closest(word: str, known: Collection[str]) -> str:
    """``; did you mean "x"?`` for the known words that look like this one, else nothing."""
    matches = difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def _parse(path: Path, *, required: bool, content: bytes | None) -> TomlTable:
    try:
        text = (path.read_bytes() if content is None else content).decode("utf-8-sig")
    except FileNotFoundError:
        if required:
            raise SettingsError(f"{path}: there is no such file. Name an existing settings file.") from None
        return {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}. Check its permissions.") from None
    try:
        return tomli.loads(text, parse_float=Decimal)
    except tomli.TOMLDecodeError as error:
        raise SettingsError(_syntax_error(path, error)) from None


def _syntax_error(path: Path, error: tomli.TOMLDecodeError) -> str:
    lines = error.doc.splitlines() or [""]
    number = min(error.lineno, len(lines))
    line = _SECRET_LINE.sub(r"\g<key> [not shown]", redact(lines[number - 1]))
    return (
        f"{path}:{number}:{error.colno}: not valid TOML: {error.msg}\n"
        f"    {line.strip()}\n"
        f'Correct line {number}: text values need quotes (model = "gpt-4o"), tables stand in [brackets].'
    )


def _rename(config: ConfigFile, table: TomlTable, known: Collection[str], place: str) -> None:
    """Bring the keys of a table to our spelling, in place; drop those we do not know, with a warning."""
    for key in list(table):
        value = table.pop(key)
        plain = _WORD_BORDER.sub("_", key).lower().replace("-", "_")
        name = _OTHER_NAMES.get(plain, plain)
        if name in known:
            table[name] = value
        else:
            config.warn(f"unknown key {key!r}{_in(place)}{closest(name, known)}")


def _table(config: ConfigFile, parent: TomlTable, name: str, prefix: str = "") -> TomlTable | None:
    value = parent.get(name)
    if value is None or isinstance(value, dict):
        return cast("TomlTable | None", value)
    raise SettingsError(f"{config.path}: {prefix}{name} must be a table. Write it as [{prefix}{name}].")


def _named_group(config: ConfigFile, name: str) -> TomlTable:
    """The tables below ``[name.*]``; a list of tables that carry a name, ``[[name]]``, means the same."""
    value: object = config.values.get(name)
    if isinstance(value, list):
        entries = cast("list[Any]", value)
        config.values[name] = {_entry_name(config, name, entry): entry for entry in entries}
    return _table(config, config.values, name) or {}


def _entry_name(config: ConfigFile, group: str, entry: Any) -> str:
    name = cast("TomlTable", entry).get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        raise SettingsError(f'{config.path}: every [[{group}]] needs a name. Add name = "..." or write [{group}.NAME].')
    return name


def _provider_tables(values: TomlTable) -> Iterator[tuple[str, TomlTable]]:
    if isinstance(table := values.get("provider"), dict):
        yield "provider", cast("TomlTable", table)
    for name, table in cast("TomlTable", values.get("providers") or {}).items():
        yield f"providers.{name}", table


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    """The value with every variable in it replaced. Raises KeyError with the name of an unset one."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: environ.get(found[1]) or _missing(found[1]), value)
        case list():
            return [_filled(item, environ) for item in cast("list[Any]", value)]
        case dict():
            return {key: _filled(item, environ) for key, item in cast("TomlTable", value).items()}
        case _:
            return value


def _missing(variable: str) -> str:
    raise KeyError(variable)


def _unset(variable: str, key: str, place: str, path: Path) -> str:
    return (
        f"Environment variable {variable} is not set or empty; {key!r}{_in(place)} of {path} uses it. "
        f"Set it (export {variable}=...) or take it out of that line."
    )


def _in(place: str) -> str:
    return f" in [{place}]" if place else ""
