"""The mood of a text, and of a person over time."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from .lexicon import NEGATIONS, STRONGER, WORDS

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


@dataclass(frozen=True)
class Mood:
    valence: float
    arousal: float
    words: int  # how many words of the text carried a mood

    @property
    def name(self) -> str:
        """The quarter of the circumplex of affect that the mood lies in."""
        if math.hypot(self.valence, self.arousal) < 0.15:
            return "neutral"
        if self.valence >= 0:
            return "excited" if self.arousal >= 0 else "content"
        return "distressed" if self.arousal >= 0 else "low"


class MoodReader:
    """`stem` brings inflected words to one form, so that "worried" and "worries" are found under "worry"."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        self._stem = stem
        self._words = {stem(word): values for word, values in WORDS.items()}

    def read(self, text: str) -> Mood:
        valence = arousal = 0.0
        found = 0
        sign, strength, reach = 1.0, 1.0, 0
        for word in _WORD.findall(text.lower()):
            if word in NEGATIONS:
                sign, reach = -0.7, 3
            elif word in STRONGER:
                strength = STRONGER[word]
            elif (values := self._words.get(self._stem(word))) is not None:
                valence += values[0] * sign * strength
                arousal += values[1] * strength
                found += 1
                sign, strength, reach = 1.0, 1.0, 0
            elif reach > 0:
                reach -= 1
                if reach == 0:
                    sign = 1.0
        if found == 0:
            return Mood(0.0, 0.0, 0)
        return Mood(_bounded(valence / found), _bounded(arousal / found), found)


def _bounded(value: float) -> float:
    return max(-1.0, min(1.0, value))


class MoodTrack:
    """A person's mood: each new text moves it, and it fades towards neutral by half in `half_life_s` seconds."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._mood = Mood(0.0, 0.0, 0)
        self._at = 0.0

    def at(self, now: float) -> Mood:
        fade = 0.5 ** (max(0.0, now - self._at) / self._half_life_s)
        return Mood(self._mood.valence * fade, self._mood.arousal * fade, self._mood.words)

    def add(self, mood: Mood, now: float) -> Mood:
        before = self.at(now)
        weight = mood.words / (mood.words + 2) if mood.words else 0.0
        self._mood = Mood(
            before.valence * (1 - weight) + mood.valence * weight,
            before.arousal * (1 - weight) + mood.arousal * weight,
            before.words + mood.words,
        )
        self._at = now
        return self._mood
