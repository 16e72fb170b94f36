"""From frames that are speech or not to stretches of speech."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    begin_ms: int
    end_ms: int


class Segmenter:
    """Speech begins where `begin_frames` frames in a row are speech, and ends after `end_frames` that are not: a click
    is no speech, and a breath no end of it."""

    def __init__(self, frame_ms: int, begin_frames: int = 3, end_frames: int = 15) -> None:
        self._frame_ms = frame_ms
        self._begin_frames = begin_frames
        self._end_frames = end_frames
        self._frames = 0
        self._run = 0  # frames in a row that speak against the state
        self._begin: int | None = None

    @property
    def is_speech(self) -> bool:
        return self._begin is not None

    def add(self, frame_is_speech: bool) -> Segment | None:
        """The stretch that this frame ended, if any."""
        self._frames += 1
        self._run = self._run + 1 if frame_is_speech != self.is_speech else 0
        if not self.is_speech and self._run >= self._begin_frames:
            self._begin = self._frames - self._run
            self._run = 0
        elif self.is_speech and self._run >= self._end_frames:
            return self._end(self._frames - self._run)
        return None

    def finish(self) -> Segment | None:
        """The stretch that was open when the stream ended."""
        return self._end(self._frames - self._run) if self.is_speech else None

    def _end(self, frame: int) -> Segment:
        segment = Segment(self._begin * self._frame_ms, frame * self._frame_ms)
        self._begin, self._run = None, 0
        return segment
