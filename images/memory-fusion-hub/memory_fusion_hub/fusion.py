"""Which memories say the same, and what stays of them."""

import re
from collections.abc import Iterable

from rapidfuzz import fuzz, process

_SPACES = re.compile(r"\s+")


def normalized(text: str) -> str:
    return _SPACES.sub(" ", text).strip().casefold()


def nearest_memory(text: str, memories: Iterable[tuple[int, str]], fuse_above: float) -> tuple[int, float] | None:
    """The id of the memory that is most like `text`, and how like it is (0 to 100); None where none is as like as
    `fuse_above`. Word order does not count: agents report the same fact in different ones."""
    candidates = {identifier: normalized(memory) for identifier, memory in memories}
    best = process.extractOne(normalized(text), candidates, scorer=fuzz.token_sort_ratio, score_cutoff=fuse_above)
    return None if best is None else (best[2], best[1])


def fused_text(old: str, new: str) -> str:
    """The longer of two texts that say the same tells more."""
    return new if len(new.strip()) > len(old.strip()) else old
