"""Read what the header of a sound says: the result of ConvertTextToSpeech, which is RIFF (vendor's sample)."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

from airflow_provider_asposeocr.api.results.readers.content import check_size, unreadable


@dataclass(frozen=True, slots=True)
class Speech:
    """
    A sound.

    :param duration_seconds: How long it is.
    :param rate_hertz: Frames per second.
    :param channels: 1 = mono, 2 = stereo.
    :param sample_bytes: Bytes of one sample of one channel; the vendor's sample has 3.
    """

    duration_seconds: float
    rate_hertz: int
    channels: int
    sample_bytes: int


def read_speech(data: bytes) -> Speech:
    """
    Read the header of a sound.

    :param data: The whole file; the samples are not decoded.
    :raises ResultTooLargeError: if it is too large.
    :raises ResultUnreadableError: if it is no RIFF file with PCM, is cut off, or its header makes no sense.
    """
    check_size(data, "a sound")
    try:
        with wave.open(io.BytesIO(data)) as sound:
            found = sound.getparams()
    except (wave.Error, EOFError, ValueError, OverflowError, RuntimeError) as error:
        raise unreadable("a sound", f"{type(error).__name__} {error}".strip()) from None
    if found.framerate <= 0 or found.nchannels <= 0 or found.sampwidth <= 0:
        raise unreadable("a sound", "its header names no rate, no channel or no size of a sample")
    if found.nframes * found.nchannels * found.sampwidth > len(data):
        raise unreadable("a sound", "it is cut off")
    return Speech(found.nframes / found.framerate, found.framerate, found.nchannels, found.sampwidth)
