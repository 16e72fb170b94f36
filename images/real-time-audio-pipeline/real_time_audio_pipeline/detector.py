"""The stream as it comes in pieces of any size, cut into frames, each speech or not."""

from .frames import level_db, samples_of, voice_share
from .segments import Segment, Segmenter

FRAME_MS = 20


class SpeechDetector:
    """A frame is speech where it is `margin_db` louder than the room, and most of it lies where voices are. How loud the
    room is follows the quietest frames: down at once, up slowly."""

    def __init__(self, rate_hz: int, margin_db: float = 12.0) -> None:
        self._rate_hz = rate_hz
        self._margin_db = margin_db
        self._frame_bytes = rate_hz * FRAME_MS // 1000 * 2
        self._rest = b""
        self._room_db = -60.0
        self._segmenter = Segmenter(FRAME_MS)

    def add(self, pcm: bytes) -> list[Segment]:
        data = self._rest + pcm
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        segments = []
        for begin in range(0, whole, self._frame_bytes):
            segment = self._segmenter.add(self._is_speech(data[begin : begin + self._frame_bytes]))
            if segment is not None:
                segments.append(segment)
        return segments

    def finish(self) -> list[Segment]:
        segment = self._segmenter.finish()
        return [] if segment is None else [segment]

    def _is_speech(self, pcm: bytes) -> bool:
        frame = samples_of(pcm)
        level = level_db(frame)
        is_loud = level > self._room_db + self._margin_db
        self._room_db = max(-80.0, level) if level < self._room_db else self._room_db + 0.02
        return is_loud and voice_share(frame, self._rate_hz) > 0.6
