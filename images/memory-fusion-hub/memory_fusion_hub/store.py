"""Where memories are kept: one SQLite file that all worker processes share."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .fusion import fused_text, nearest_memory

_SCHEMA = """
CREATE TABLE IF NOT EXISTS memory (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    sources TEXT NOT NULL,
    times_seen INTEGER NOT NULL,
    updated_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS memory_by_subject ON memory (subject, updated_at);
"""


@dataclass(frozen=True)
class Memory:
    id: int
    subject: str
    text: str
    sources: list[str]
    times_seen: int
    updated_at: float


def _memory(row: sqlite3.Row) -> Memory:
    return Memory(
        row["id"], row["subject"], row["text"], row["sources"].split("\n"), row["times_seen"], row["updated_at"]
    )


class MemoryStore:
    """Opens the file anew for each call, so that threads and processes never share a connection."""

    def __init__(self, path: Path, fuse_above: float) -> None:
        self._path = path
        self._fuse_above = fuse_above
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection

    def remember(self, subject: str, text: str, source: str) -> tuple[Memory, bool]:
        """Keeps a memory. One of the same subject that says the same is fused with it; True says so."""
        with closing(self._connect()) as connection:
            # Taken for writing at once: two workers must not both find nothing to fuse with.
            connection.execute("BEGIN IMMEDIATE")
            try:
                memory, is_fused = self._remember(connection, subject, text, source)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            return memory, is_fused

    def _remember(self, connection: sqlite3.Connection, subject: str, text: str, source: str) -> tuple[Memory, bool]:
        rows = connection.execute("SELECT id, text FROM memory WHERE subject = ?", (subject,)).fetchall()
        nearest = nearest_memory(text, ((row["id"], row["text"]) for row in rows), self._fuse_above)
        now = time.time()
        if nearest is None:
            cursor = connection.execute(
                "INSERT INTO memory (subject, text, sources, times_seen, updated_at) VALUES (?, ?, ?, 1, ?)",
                (subject, text, source, now),
            )
            return self._find(connection, cursor.lastrowid), False
        old = self._find(connection, nearest[0])
        sources = old.sources if source in old.sources else [*old.sources, source]
        connection.execute(
            "UPDATE memory SET text = ?, sources = ?, times_seen = times_seen + 1, updated_at = ? WHERE id = ?",
            (fused_text(old.text, text), "\n".join(sources), now, old.id),
        )
        return self._find(connection, old.id), True

    @staticmethod
    def _find(connection: sqlite3.Connection, identifier: int) -> Memory:
        return _memory(connection.execute("SELECT * FROM memory WHERE id = ?", (identifier,)).fetchone())

    def recall(self, subject: str, limit: int) -> list[Memory]:
        """The memories of a subject, the latest first."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT * FROM memory WHERE subject = ? ORDER BY updated_at DESC, id DESC LIMIT ?", (subject, limit)
            ).fetchall()
            return [_memory(row) for row in rows]

    def forget(self, identifier: int) -> bool:
        with closing(self._connect()) as connection:
            return connection.execute("DELETE FROM memory WHERE id = ?", (identifier,)).rowcount == 1

    def count(self) -> int:
        with closing(self._connect()) as connection:
            return int(connection.execute("SELECT count(*) FROM memory").fetchone()[0])
