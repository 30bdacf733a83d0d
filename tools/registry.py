"""The tools that exist. A new one is a file of its own and a line here."""

from typing import Any

from .apply_patch import ApplyPatch
from .bash_kill import BashKill
from .bash_output import BashOutput
from .edit_file import EditFile
from .find_files import FindFiles
from .list_folder import ListFolder
from .read_file import ReadFile
from .run_bash import RunBash
from .search_text import SearchText
from .todo import KeepTodo
from .tool import Tool
from .web import WebFetch
from .write_file import WriteFile

TOOLS: tuple[Tool[Any], ...] = (
    ReadFile(),
    WriteFile(),
    EditFile(),
    ApplyPatch(),
    RunBash(),
    BashOutput(),
    BashKill(),
    SearchText(),
    FindFiles(),
    ListFolder(),
    WebFetch(),
    KeepTodo(),
)
