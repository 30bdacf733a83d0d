"""What holds in a folder before a session begins there."""

import argparse
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from ..paths import find_paths
from ..settings import Settings, load_settings
from ..trust import FolderTrust, trust_of
from .trust import home_of


class Prepared:
    """How far a folder is trusted, and its settings as they are then."""

    def __init__(self, *, trust: FolderTrust, read_settings: Callable[[], Settings]) -> None:
        self.trust = trust
        self.read_settings = read_settings
        """Reads them anew, once the folder is trusted. Raises ``SettingsError``."""

    @cached_property
    def settings(self) -> Settings:
        """The settings as they were when they were first asked for. Raises ``SettingsError``."""
        return self.read_settings()


def prepare(options: argparse.Namespace, folder: Path, *, person: bool = True, **overrides: object) -> Prepared:
    """Look at a folder the way the command line asks for. ``person``: whether there is one to ask about trust.

    ``overrides`` are settings of the command line beside the mode. Raises ``SettingsError``.
    """
    state_folder = find_paths(os.environ).state_folder
    home = home_of(os.environ)
    trust = trust_of(folder, home=home, state_folder=state_folder, once=options.trust, person=person)

    def read_settings() -> Settings:
        return load_settings(
            folder,
            environ=os.environ,
            overrides={"mode": options.mode, **overrides},
            trusted=trust.standing.counts and trust.config,
            config_file=options.config,
        )

    return Prepared(trust=trust, read_settings=read_settings)
