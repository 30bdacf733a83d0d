"""What can be typed after ``patchbay cost`` and ``patchbay stats``."""

import argparse
from pathlib import Path

from ..engine.period import FORMS
from .arguments import new_parser

BY = ("model", "provider", "session", "day", "month", "tool", "turn", "purpose")
_ABOUT_COST = f"""\
What was spent: one row for each group and a total, exact to the last digit, from the ledger of every call to a
model (answers, retries, titles, compactions), at the price of that moment. Deleted sessions count on.

Times are local: {FORMS}.
A day or a month given to --until counts whole.

By tool, a call that brings fresh results of tools to a model is charged to them, by the length of the results; all
other calls are the conversation. Amounts in CSV and JSON are decimal strings with every digit."""


def cost_parser() -> argparse.ArgumentParser:
    """The parser of ``patchbay cost``."""
    parser = new_parser("patchbay cost", _ABOUT_COST)
    _add_period(parser)
    parser.add_argument("--by", choices=BY, default="model", help="what a row is (default: model)")
    parser.add_argument("--model", metavar="MODEL", help="only calls to this model: id or provider/model, * for any")
    parser.add_argument("--provider", metavar="NAME", help="only calls to this provider")
    parser.add_argument("--session", metavar="ID", help="only this session; its id may be cut short")
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="form of the answer (default: table)"
    )
    return parser


def stats_parser() -> argparse.ArgumentParser:
    """The parser of ``patchbay stats``."""
    parser = new_parser(
        "patchbay stats",
        "How it went: sessions, prompts and turns, days in a row, tools and how often they succeed, what was\n"
        "approved, models with their speed and errors. Read from this machine's own journal; nothing is sent anywhere.",
    )
    _add_period(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object in place of text")
    return parser


def _add_period(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", help="from then on, for example 7d, today or 2026-11-01")
    parser.add_argument("--until", metavar="TIME", help="up to then; a day or a month counts whole")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--folder",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="PATH",
        help="only sessions of this folder (of the current one when none is named)",
    )
    where.add_argument("--all", action="store_true", help="of every folder (as without it)")
