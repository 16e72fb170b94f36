"""Run in this folder's parent: python -m unittest discover -s tests -t ."""

import unittest

from model_ops_coordinator.coordinator import Coordinator, NoRoom
from model_ops_coordinator.settings import Settings


class CoordinatorTest(unittest.TestCase):
    def setUp(self):
        self.gone = []
        self.coordinator = Coordinator(1000, 90, self.gone.append)

    def use(self, name, size):
        evicted = self.coordinator.acquire(name, size)
        self.coordinator.release(name)
        return evicted

    def test_the_model_not_used_for_longest_goes_first(self):
        self.use("whisper", 400)
        self.use("llama", 400)
        self.use("whisper", 400)
        self.assertEqual(self.use("phi", 300), ["llama"])
        self.assertEqual(self.gone, ["llama"])
        self.assertEqual([model.name for model in self.coordinator.models()], ["phi", "whisper"])
        self.assertEqual(self.coordinator.used_bytes, 700)

    def test_a_model_in_use_stays(self):
        self.coordinator.acquire("whisper", 400)
        self.use("llama", 400)
        self.assertEqual(self.use("phi", 300), ["llama"])
        self.coordinator.acquire("phi", 300)
        with self.assertRaisesRegex(NoRoom, "models in use leave 200"):
            self.coordinator.acquire("llama", 400)
        self.assertEqual(self.gone, ["llama"])

    def test_a_model_above_the_threshold_never_fits(self):
        with self.assertRaisesRegex(NoRoom, "the limit is 900"):
            self.coordinator.acquire("llama", 901)

    def test_a_loaded_model_takes_no_room_again(self):
        self.use("whisper", 600)
        self.assertEqual(self.use("whisper", 600), [])
        self.assertEqual(self.coordinator.models()[0].times_used, 2)

    def test_releasing_what_nobody_holds_is_refused(self):
        self.use("whisper", 1)
        for name in ("whisper", "unknown"):
            with self.assertRaises(KeyError):
                self.coordinator.release(name)


class SettingsTest(unittest.TestCase):
    def test_the_profile_sets_the_threshold(self):
        settings = Settings.from_environment({"MODEL_EVICT_THRESHOLD_PCT": "70", "MACHINE": "pc2", "CUDA_ARCH": "8.6"})
        self.assertEqual((settings.evict_threshold_pct, settings.machine, settings.cuda_arch), (70, "pc2", "8.6"))

    def test_a_threshold_out_of_range_is_refused(self):
        with self.assertRaisesRegex(ValueError, "expected 1 to 100"):
            Settings.from_environment({"MODEL_EVICT_THRESHOLD_PCT": "0"})


if __name__ == "__main__":
    unittest.main()
