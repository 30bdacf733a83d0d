"""Small models get few of the real tools, whichever way they call them."""

from pathlib import Path

import pytest

from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.capability import few, why_small
from patchbay.providers.messages import ToolSpec
from patchbay.tools.policy import Policy
from patchbay.tools.toolbox import LocalToolbox

NOT_FOR_SMALL = {"todo", "web_fetch", "apply_patch", "bash_output", "bash_kill", "grep", "glob"}


@pytest.mark.parametrize(("name", "window"), [("qwen3:0.6b", 32_768), ("llama3.2:3b", 131_072), ("some", 8192)])
def test_a_small_model_gets_files_and_commands_only(name: str, window: int, tmp_path: Path) -> None:
    toolbox = LocalToolbox(tmp_path, Policy(), state_folder=tmp_path / "state")
    offered = tuple(
        ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters) for tool in toolbox.schemas()
    )
    assert {"todo", "web_fetch"} <= {tool.name for tool in offered}
    model = ModelInfo(ref=ModelRef(provider="local", model=name), context_window=window, tools=True)
    assert why_small(model)
    assert {tool.name for tool in few(offered)} == {"read", "list", "edit", "write", "bash"}
    assert not {tool.name for tool in few(offered)} & NOT_FOR_SMALL


def test_a_large_model_gets_all(tmp_path: Path) -> None:
    model = ModelInfo(ref=ModelRef(provider="local", model="qwen3-coder:30b"), context_window=32_768, tools=True)
    assert not why_small(model)
