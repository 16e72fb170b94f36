"""Run in this folder's parent: python -m unittest discover -s tests -t ."""

import importlib.util
import math
import struct
import unittest

from real_time_audio_pipeline.segments import Segment, Segmenter
from real_time_audio_pipeline.settings import Settings

RATE = 16000


class SegmenterTest(unittest.TestCase):
    def segments(self, frames):
        segmenter = Segmenter(20)
        found = [segment for frame in frames if (segment := segmenter.add(frame == "x"))]
        return found, segmenter.finish()

    def test_a_click_is_no_speech(self):
        self.assertEqual(self.segments("..xx......"), ([], None))

    def test_a_breath_does_not_end_it(self):
        found, last = self.segments("." * 5 + "x" * 10 + "." * 14 + "x" * 10 + "." * 15)
        self.assertEqual((found, last), ([Segment(100, 780)], None))

    def test_the_end_of_the_stream_ends_it(self):
        self.assertEqual(self.segments("..xxxxx."), ([], Segment(40, 140)))


@unittest.skipIf(importlib.util.find_spec("numpy") is None, "numpy is not installed here")
class DetectorTest(unittest.TestCase):
    def sound(self, hertz, seconds, level=0.3):
        count = int(RATE * seconds)
        return struct.pack(f"<{count}h", *(int(32767 * level * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(count)))

    def detect(self, pcm, piece=1000):
        from real_time_audio_pipeline.detector import SpeechDetector

        detector = SpeechDetector(RATE)
        found = [segment for begin in range(0, len(pcm), piece) for segment in detector.add(pcm[begin : begin + piece])]
        return found + detector.finish()

    def test_a_voice_between_silences_is_found_where_it_is(self):
        pcm = self.sound(0, 1) + self.sound(300, 1) + self.sound(0, 1)
        self.assertEqual(self.detect(pcm), [Segment(1000, 2000)])

    def test_the_size_of_the_pieces_does_not_count(self):
        pcm = self.sound(0, 0.5) + self.sound(440, 0.5) + self.sound(0, 0.5)
        self.assertEqual(self.detect(pcm, piece=7), self.detect(pcm, piece=len(pcm)))

    def test_a_whistle_above_the_voices_is_no_speech(self):
        self.assertEqual(self.detect(self.sound(0, 0.5) + self.sound(6000, 0.5)), [])

    def test_half_a_sample_is_refused(self):
        from real_time_audio_pipeline.frames import samples_of

        with self.assertRaisesRegex(ValueError, "3 bytes"):
            samples_of(b"abc")


class SettingsTest(unittest.TestCase):
    def test_settings_come_from_the_environment(self):
        settings = Settings.from_environment({"MACHINE": "pc2", "AUDIO_MARGIN_DB": "6"})
        self.assertEqual((settings.machine, settings.margin_db, settings.port), ("pc2", 6.0, 7401))


if __name__ == "__main__":
    unittest.main()
