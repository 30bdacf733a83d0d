"""Wires the writer of titles to a session: which model, and whether a title is wanted at all."""

import sqlite3

from ...providers.base import ModelInfo, ModelRef, Provider
from ...providers.directory import ProviderDirectory
from ...providers.pricing import cost_of
from ..engine import archive
from ..engine.session import Session
from ..engine.titles import TitleWriter
from ..paths import Paths
from .lane import Lane


def title_writer(session: Session, directory: ProviderDirectory, paths: Paths, model: str | None) -> TitleWriter | None:
    """A writer that listens to the session already; None without a model, given as ``provider/model``."""
    if model is None:
        return None
    ref = ModelRef.parse(model)

    def named(connection: sqlite3.Connection) -> bool:
        return any(row.named for row in archive.find_session(connection, session.state.session_id))

    async def find() -> tuple[ModelInfo, Provider] | None:
        lane = Lane(paths.database, "title")
        try:
            if await lane.run(named):  # a person's own name stands above any title: no money for one
                return None
        finally:
            lane.close()
        return directory.info(ref), directory.provider(ref)

    writer = TitleWriter(session.bus, find, cost_of)
    session.bus.attach(writer.hear)
    return writer
