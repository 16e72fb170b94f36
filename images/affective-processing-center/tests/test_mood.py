"""Run in this folder's parent: python -m unittest discover -s tests -t ."""

import unittest

from affective_processing_center.mood import Mood, MoodReader, MoodTrack
from affective_processing_center.settings import Settings


def stem(word):
    for ending in ("ied", "ed", "s"):
        if word.endswith(ending):
            return word.removesuffix(ending) + ("y" if ending == "ied" else "")
    return word


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.reader = MoodReader(stem)

    def test_moods_fall_into_four_quarters_and_none(self):
        for text, name in (("What a wonderful, exciting joy", "excited"), ("I feel calm and peaceful", "content"),
                           ("I hate this, I am furious", "distressed"), ("So sad and lonely", "low"),
                           ("The train leaves at nine", "neutral")):
            self.assertEqual(self.reader.read(text).name, name, text)

    def test_a_negation_turns_the_next_word_round(self):
        self.assertGreater(self.reader.read("this is good").valence, 0)
        self.assertLess(self.reader.read("this is not good").valence, 0)

    def test_a_negation_reaches_three_words_far(self):
        self.assertGreater(self.reader.read("not a word of that, it is good").valence, 0)

    def test_very_counts_for_more(self):
        self.assertGreater(self.reader.read("very good").valence, self.reader.read("good").valence)

    def test_inflected_words_are_found(self):
        self.assertEqual(self.reader.read("he worried").words, 1)

    def test_values_stay_in_range(self):
        self.assertEqual(self.reader.read("extremely terrible").valence, -1.0)


class TrackTest(unittest.TestCase):
    def test_a_mood_fades_by_half_in_its_half_life(self):
        track = MoodTrack(60)
        track.add(Mood(0.8, 0.4, 2), 100)
        self.assertAlmostEqual(track.at(160).valence, track.at(100).valence / 2)

    def test_a_text_without_mood_moves_nothing(self):
        track = MoodTrack(60)
        before = track.add(Mood(0.8, 0.4, 2), 100)
        self.assertEqual(track.add(Mood(0, 0, 0), 100), before)


class SettingsTest(unittest.TestCase):
    def test_a_half_life_of_nothing_is_refused(self):
        with self.assertRaisesRegex(ValueError, "more than 0"):
            Settings.from_environment({"AFFECTIVE_HALF_LIFE_S": "0"})


if __name__ == "__main__":
    unittest.main()
