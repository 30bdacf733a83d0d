"""``patchbay login`` and ``patchbay logout``: enter the key of a provider once, list what is kept, forget it."""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping

from ...providers.base import ProviderConfigError
from ...providers.presets import PRESETS, Preset
from ...providers.registry import ProviderConfig, choose_preset, is_sendable
from ...tools.safe_text import safe_line
from ..kept_keys import KeptKeys, KeyPlace, kept_keys
from ..paths import find_paths
from ..settings import Settings, SettingsError
from .arguments import ExitCode
from .survey import settings_of


def login_command(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Keep the key of a provider, or list for which ones one is kept. Raises SettingsError with cause and fix."""
    keys = kept_keys(find_paths(environ))
    if options.list:
        return _list(keys)
    if not options.provider:
        raise SettingsError(f"Name the provider: patchbay login NAME. There are {_names(settings_of(options))}.")
    config, preset = _provider(settings_of(options), options.provider)
    variable = _variable(config, preset)
    key = _ask(config.name, preset).strip()
    if not is_sendable(key):
        raise SettingsError(
            "That is no key: it is empty, or has blanks or characters that no key has. Nothing is kept."
        )
    place = _kept(keys, variable, key)
    _say(f"Kept for {config.name} in {place}. `patchbay doctor` tries it; `patchbay logout {config.name}` forgets it.")
    if environ.get(variable, "").strip():
        _warn(f"{variable} is set here and goes before it.")
    return ExitCode.OK


def logout_command(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Forget the key of a provider. Raises SettingsError when none is kept or it cannot be forgotten."""
    keys = kept_keys(find_paths(environ))
    config, preset = _provider(settings_of(options), options.provider)
    variable = _variable(config, preset)
    try:
        forgotten = keys.forget(variable)
    except OSError as error:
        raise SettingsError(f"{keys.file}: the key cannot be forgotten: {error.strerror}.") from None
    if not forgotten:
        raise SettingsError(f"No key is kept for {config.name}. `patchbay login --list` shows for which ones.")
    _say(f"The key of {config.name} is forgotten.")
    if environ.get(variable, "").strip():
        _warn(f"{variable} is set here and still holds one.")
    return ExitCode.OK


def _list(keys: KeptKeys) -> int:
    places = keys.places()
    for variable, place in sorted(places.items()):
        names = [preset.name for preset in PRESETS.values() if preset.key_variable == variable]
        _say(f"{safe_line(variable)}  {', '.join(names) or 'a provider of your settings'}  {place}")
    if not places:
        _say("No key is kept. `patchbay login NAME` keeps one.")
    return ExitCode.OK


def _provider(settings: Settings, name: str) -> tuple[ProviderConfig, Preset]:
    """A provider of the settings, or a preset by its name."""
    configs = {config.name: config for config in settings.provider_configs()}
    if name not in configs and name not in PRESETS:
        raise SettingsError(f"There is no provider {safe_line(name)!r}. There are {_names(settings)}.")
    config = configs.get(name, ProviderConfig(name=name, preset=name))
    try:
        return config, choose_preset(config)
    except ProviderConfigError as error:
        raise SettingsError(str(error)) from None


def _names(settings: Settings) -> str:
    presets = (preset.name for preset in PRESETS.values() if preset.key_variable and not preset.retired)
    return ", ".join(dict.fromkeys((*(config.name for config in settings.provider_configs()), *presets)))


def _variable(config: ProviderConfig, preset: Preset) -> str:
    """The variable that the key stands for: settings name it, so that a key only ever goes to its own provider."""
    if config.api_key:
        raise SettingsError(f"The settings hold the key of {config.name} (api_key). Take it out there first.")
    variable = config.api_key_env or preset.key_variable
    if not variable and preset.name == "custom":
        suggested = f"{config.name.upper().replace('-', '_').replace('.', '_')}_API_KEY"
        raise SettingsError(
            f"Provider {config.name} names no variable for its key. Add"
            f' api_key_env = "{suggested}" to its table in the settings, then run this again.'
        )
    if not variable:
        raise SettingsError(f"{config.name} wants no key.")
    return variable


def _ask(name: str, preset: Preset) -> str:
    """The key, typed without being shown, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    if preset.help_url:
        _say(f"Get a key at {preset.help_url}")
    try:
        return getpass.getpass(f"Key for {name} (it is not shown): ")
    except (EOFError, KeyboardInterrupt):
        raise SettingsError("No key was entered. Nothing is kept.") from None


def _kept(keys: KeptKeys, variable: str, key: str) -> str:
    try:
        place = keys.keep(variable, key)
    except OSError as error:
        raise SettingsError(f"{keys.file}: the key cannot be kept: {error.strerror}.") from None
    return "the system's keyring" if place is KeyPlace.KEYRING else f"{keys.file}, readable by you alone"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _warn(line: str) -> None:
    sys.stderr.write(f"{line}\n")
