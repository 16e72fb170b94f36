"""python3 -m unittest discover images/memory-fusion-hub/tests, from the repository's root."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from memory_fusion_hub.ranking import rank  # noqa: E402
from memory_fusion_hub.store import MemoryStore  # noqa: E402


class Ranking(unittest.TestCase):
    def test_a_document_without_a_common_word_is_left_out(self):
        self.assertEqual([number for _, number in rank("blue sky", [(1, "the sky is blue"), (2, "cheese")])], [1])

    def test_a_rare_word_counts_more_than_a_common_one(self):
        documents = [(1, "red car"), (2, "red boat"), (3, "red bicycle")]
        self.assertEqual(rank("red boat", documents)[0][1], 2)

    def test_nothing_ranks_in_an_empty_store(self):
        self.assertEqual(rank("anything", []), [])


class Store(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.store = MemoryStore(f"{folder.name}/memories.sqlite")

    def test_the_same_memory_twice_is_one_seen_twice(self):
        self.store.remember("ada", "the kettle is on")
        self.assertEqual(self.store.remember("ada", "the kettle is on").times_seen, 2)
        self.assertEqual(self.store.count(), 1)

    def test_memories_of_all_agents_are_recalled(self):
        self.store.remember("ada", "the kettle is on")
        self.store.remember("bob", "the kettle is broken")
        agents = {memory.agent for _, memory in self.store.recall("kettle", 5)}
        self.assertEqual(agents, {"ada", "bob"})

    def test_what_is_forgotten_is_gone(self):
        memory = self.store.remember("ada", "a secret")
        self.assertTrue(self.store.forget(memory.id))
        self.assertFalse(self.store.forget(memory.id))
        self.assertEqual(self.store.recall("secret", 5), [])


if __name__ == "__main__":
    unittest.main()
