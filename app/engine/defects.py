"""Where defects of Patchbay itself are reported to: the local log, when there is one, and nowhere else."""

import logging

LOG = logging.getLogger("patchbay")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False
"""Without a log nothing is written at all: Python would print to a screen that is not its own."""


def report(what: str, error: BaseException) -> None:
    """Note a defect with its traceback."""
    LOG.error(what, exc_info=error)
