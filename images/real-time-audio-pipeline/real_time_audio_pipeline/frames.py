"""What a frame of sound is like: how loud, and how much of it lies where voices are."""

import numpy as np

VOICE_HZ = (100.0, 4000.0)


def samples_of(pcm: bytes) -> np.ndarray:
    """16-bit little-endian PCM of one channel as numbers from -1 to 1. ValueError for half a sample."""
    if len(pcm) % 2:
        raise ValueError(f"{len(pcm)} bytes are no whole number of 16-bit samples")
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0


def level_db(frame: np.ndarray) -> float:
    """Loudness against full scale; -100 for silence."""
    power = float(np.mean(np.square(frame))) if frame.size else 0.0
    return max(-100.0, 10.0 * np.log10(power)) if power > 0 else -100.0


def voice_share(frame: np.ndarray, rate_hz: int) -> float:
    """The part of the frame's power that lies between 100 Hz and 4 kHz."""
    if frame.size == 0:
        return 0.0
    power = np.square(np.abs(np.fft.rfft(frame * np.hanning(frame.size))))
    frequencies = np.fft.rfftfreq(frame.size, 1.0 / rate_hz)
    total = float(power.sum())
    if total <= 0:
        return 0.0
    return float(power[(frequencies >= VOICE_HZ[0]) & (frequencies <= VOICE_HZ[1])].sum()) / total
