"""
ConvertTextToSpeech with the program ``espeak-ng``, if the distribution has it.

The sound has the form of the vendor's sample: RIFF, PCM, 24 bits, mono, 22050 samples a second.
"""

from __future__ import annotations

import shutil
import wave
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.jobs import Job, JobError, JobOutcome, JobResult
from airflow_provider_asposeocr.emulator.work.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.jobs import Worker

_PROGRAM = "espeak-ng"
#: About an hour of speech, and 230 MB of sound.
MOST_CHARACTERS = 50_000


def speech_worker() -> Worker | None:
    """
    Return the worker of ConvertTextToSpeech.

    :return: The worker; ``None`` if the program is not installed (Debian: ``apt-get install espeak-ng``).
    """
    program = shutil.which(_PROGRAM)
    return None if program is None else _SpeechWorker(program)


class _SpeechWorker:
    name = _PROGRAM

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, job: Job) -> JobOutcome:
        text = job.payload.read_text("utf-8", errors="replace")
        if len(text) > MOST_CHARACTERS:
            raise JobError(f"The emulator reads at most {MOST_CHARACTERS} characters aloud, not {len(text)}.")
        spoken, path = job.result_dir / "spoken.wav", job.result_dir / "result.wav"
        # The text is in a file: as an argument it could be an option.
        said = run_program(
            [self._program, "-v", "en", "-b", "1", "-f", str(job.payload), "-w", str(spoken)], job.result_dir
        )
        try:
            widen(spoken, path)
        except (OSError, EOFError, wave.Error) as error:
            raise JobError(f"The text cannot be read aloud ({said or error}).") from error
        spoken.unlink()
        return JobOutcome((JobResult("WavFile", path),))


def widen(source: Path, target: Path) -> None:
    """
    Write a sound of 16 bits as one of 24 bits, whose third byte is the lowest one.

    :param source: A WAV file with 16 bits per sample.
    :param target: File to write.
    :raises wave.Error: if the source is not such a file.
    """
    with wave.open(str(source), "rb") as sound, wave.open(str(target), "wb") as wide:
        if sound.getsampwidth() != 2:
            raise wave.Error(f"{8 * sound.getsampwidth()} bits per sample instead of 16")
        wide.setparams((sound.getnchannels(), 3, sound.getframerate(), 0, "NONE", "not compressed"))
        while chunk := sound.readframes(1 << 16):
            samples = bytearray(len(chunk) // 2 * 3)
            samples[1::3], samples[2::3] = chunk[0::2], chunk[1::2]
            wide.writeframes(bytes(samples))
