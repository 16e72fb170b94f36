"""Memories in SQLite: what an agent said, fused with what it said before."""

import sqlite3
import threading
import time
from dataclasses import dataclass

from memory_fusion_hub.ranking import rank


@dataclass(frozen=True)
class Memory:
    id: int
    agent: str
    text: str
    times_seen: int
    last_seen: float


class MemoryStore:
    """One file, several processes: SQLite's own locking serialises writers."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
        with self._connection:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS memories (id INTEGER PRIMARY KEY, agent TEXT NOT NULL, text TEXT NOT NULL,"
                " times_seen INTEGER NOT NULL DEFAULT 1, last_seen REAL NOT NULL, UNIQUE (agent, text))"
            )

    def remember(self, agent: str, text: str) -> Memory:
        """Adds a memory, or counts one more sighting of it."""
        now = time.time()
        with self._lock, self._connection:
            row = self._connection.execute(
                "INSERT INTO memories (agent, text, last_seen) VALUES (?, ?, ?) ON CONFLICT (agent, text) DO UPDATE"
                " SET times_seen = times_seen + 1, last_seen = excluded.last_seen"
                " RETURNING id, agent, text, times_seen, last_seen",
                (agent, text, now),
            ).fetchone()
        return Memory(*row)

    def recall(self, question: str, limit: int) -> list[tuple[float, Memory]]:
        """The memories of all agents that fit a question, best first."""
        with self._lock:
            rows = self._connection.execute("SELECT id, agent, text, times_seen, last_seen FROM memories").fetchall()
        by_id = {row[0]: Memory(*row) for row in rows}
        ranked = rank(question, [(memory.id, memory.text) for memory in by_id.values()])
        return [(score, by_id[number]) for score, number in ranked[:limit]]

    def forget(self, number: int) -> bool:
        with self._lock, self._connection:
            return self._connection.execute("DELETE FROM memories WHERE id = ?", (number,)).rowcount == 1

    def count(self) -> int:
        with self._lock:
            return self._connection.execute("SELECT count(*) FROM memories").fetchone()[0]
