"""Ranks memories by how well their words fit a question (Okapi BM25)."""

import math
import re
from collections import Counter

_WORD = re.compile(r"\w+", re.UNICODE)
_K1 = 1.5
_B = 0.75


def words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def rank(question: str, documents: list[tuple[int, str]]) -> list[tuple[float, int]]:
    """(score, id) of the documents that share a word with the question, best first."""
    if not documents:
        return []
    counted = [(number, Counter(words(text))) for number, text in documents]
    lengths = {number: sum(counts.values()) for number, counts in counted}
    mean_length = sum(lengths.values()) / len(lengths) or 1.0
    scores: Counter[int] = Counter()
    for word in set(words(question)):
        holders = [(number, counts[word]) for number, counts in counted if word in counts]
        if not holders:
            continue
        rarity = math.log(1 + (len(counted) - len(holders) + 0.5) / (len(holders) + 0.5))
        for number, frequency in holders:
            norm = _K1 * (1 - _B + _B * lengths[number] / mean_length)
            scores[number] += rarity * frequency * (_K1 + 1) / (frequency + norm)
    return sorted(((score, number) for number, score in scores.items()), reverse=True)
