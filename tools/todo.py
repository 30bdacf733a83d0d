"""``todo``: the model's plan, which the person sees on the screen while it works."""

import json
import re
from functools import partial
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, field_validator, model_validator

from .events import TodoChanged, TodoItem, TodoStatus
from .policy import Action, Request
from .safe_text import safe_line
from .tool import Plan, Tool, ToolContext, ToolResult

MAX_ITEMS = 50
MAX_TEXT = 200
"""Characters of one step; longer ones are cut."""

_TEXT_NAMES = ("text", "content", "title", "task", "description", "name", "step")
_LIST_NAMES = ("items", "todos", "tasks", "todo", "plan", "steps", "list")
_STATUS_NAMES = ("status", "state", "done", "completed")
_STATUSES = {
    "done": TodoStatus.DONE,
    "complete": TodoStatus.DONE,
    "completed": TodoStatus.DONE,
    "finished": TodoStatus.DONE,
    "cancelled": TodoStatus.DONE,
    "canceled": TodoStatus.DONE,
    "true": TodoStatus.DONE,
    "x": TodoStatus.DONE,
    "in_progress": TodoStatus.IN_PROGRESS,
    "inprogress": TodoStatus.IN_PROGRESS,
    "active": TodoStatus.IN_PROGRESS,
    "current": TodoStatus.IN_PROGRESS,
    "doing": TodoStatus.IN_PROGRESS,
    "started": TodoStatus.IN_PROGRESS,
    "running": TodoStatus.IN_PROGRESS,
    ">": TodoStatus.IN_PROGRESS,
    "~": TodoStatus.IN_PROGRESS,
}
"""What models write; everything else is pending."""
_BOX = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])?\s*(?:\[([ xX>~])\])?\s*(.*)", re.DOTALL)
_MARKS = {TodoStatus.DONE: "[x]", TodoStatus.IN_PROGRESS: "[>]", TodoStatus.PENDING: "[ ]"}


class TodoEntry(BaseModel):
    """One step."""

    text: str
    status: TodoStatus = TodoStatus.PENDING

    @model_validator(mode="before")
    @classmethod
    def read_slips(cls, value: Any) -> Any:
        """A bare string, a Markdown checkbox, and other names for the two fields."""
        if isinstance(value, str):
            box = _BOX.fullmatch(value)
            mark, text = (box[1] or "", box[2]) if box else ("", value)
            return {"text": text, "status": _status(mark)}
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        text = next((given[name] for name in _TEXT_NAMES if isinstance(given.get(name), str)), None)
        status = next((given[name] for name in _STATUS_NAMES if name in given), "")
        return {"status": _status(status)} | ({} if text is None else {"text": text})

    @field_validator("text")
    @classmethod
    def one_line(cls, text: str) -> str:
        """A step is one line, without control characters, of bounded length."""
        line = safe_line(text[: 4 * MAX_TEXT]).replace("↵", " ").strip()
        if not line:
            raise ValueError("is empty")
        return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


class TodoArguments(BaseModel):
    """The whole plan."""

    items: Annotated[list[TodoEntry], Field(max_length=MAX_ITEMS)]

    @model_validator(mode="before")
    @classmethod
    def read_slips(cls, value: Any) -> Any:
        """Another name for the list, or the list as JSON text."""
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        name = next((name for name in _LIST_NAMES if name in given), None)
        items = None if name is None else given[name]
        if isinstance(items, str):
            try:
                items = json.loads(items)
            except (ValueError, RecursionError):
                items = [line for line in items.split("\n") if line.strip()]
        return given if name is None else {"items": items}


class KeepTodo(Tool[TodoArguments]):
    """Keeps the plan: each call replaces it."""

    name = "todo"
    description = (
        "Show the user your plan for work of three or more steps. Send the whole list whenever a step's status changes."
    )
    max_bytes = 16_000
    arguments = TodoArguments

    def title(self, arguments: TodoArguments) -> str:
        """The step at hand; how far the plan is, the summary says."""
        return step_at_hand(arguments.items)

    def request(self, arguments: TodoArguments, context: ToolContext) -> Request:
        """It touches nothing."""
        return Request(tool=self.name, action=Action.NOTE)

    async def prepare(self, arguments: TodoArguments, context: ToolContext, request: Request) -> Plan:
        """Nothing to find out, and nobody to ask."""
        return Plan(run=partial(_keep, arguments, context), needs_approval=False)


def step_at_hand(items: list[TodoEntry]) -> str:
    """What is done now, or comes next, in the plan's words."""
    if not items:
        return "nothing planned"
    for status in (TodoStatus.IN_PROGRESS, TodoStatus.PENDING):
        if step := next((item.text for item in items if item.status is status), None):
            return step
    return "all done"


async def _keep(arguments: TodoArguments, context: ToolContext) -> ToolResult:
    items = tuple(TodoItem(text=each.text, status=each.status) for each in arguments.items)
    context.emit(TodoChanged(run_id=context.run_id, items=items))
    done = sum(item.status is TodoStatus.DONE for item in items)
    listed = "\n".join(f"{_MARKS[item.status]} {item.text}" for item in items)
    return ToolResult(content=listed or "The list is empty.", summary=f"{done}/{len(items)} done")


def _status(value: object) -> TodoStatus:
    word = re.sub(r"[\s-]+", "_", str(value).strip().lower())
    return _STATUSES.get(word, TodoStatus.PENDING)
