"""What holds in a folder before a session begins there."""

from collections.abc import Callable
from functools import cached_property

from ..settings import Settings
from ..trust import FolderTrust


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
