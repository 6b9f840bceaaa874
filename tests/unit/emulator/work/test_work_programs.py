"""DjVu and speech with programs of the distribution, and what runs them."""

from __future__ import annotations

import shutil
import stat
import subprocess
import tracemalloc
import wave
from typing import TYPE_CHECKING

import pypdfium2
import pytest
from PIL import Image

from airflow_provider_asposeocr.emulator.work import programs
from airflow_provider_asposeocr.emulator.work.djvu import djvu_worker
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from airflow_provider_asposeocr.emulator.work.programs import run_program
from airflow_provider_asposeocr.emulator.work.speech import MOST_CHARACTERS, speech_worker, widen
from tests.support.drawn_pages import prose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.emulator_workers import Run

DJVU = b"AT&TFORM\x00\x00\x00\x04DJVU"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which programs are looked for first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class TestRunProgram:
    def test_it_gets_nothing_of_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SECRET", "hunter2")
        run_program([script(tmp_path / "p", "env > found")], tmp_path)
        assert "hunter2" not in (tmp_path / "found").read_text()

    def test_names_are_no_commands(self, tmp_path: Path) -> None:
        program = script(tmp_path / "p", 'printf "%s" "$1" > found')
        run_program([program, "$(touch hacked); `touch hacked`"], tmp_path)
        assert (tmp_path / "found").read_text() == "$(touch hacked); `touch hacked`"
        assert not (tmp_path / "hacked").exists()

    def test_its_memory_is_limited(self, tmp_path: Path) -> None:
        run_program(
            [script(tmp_path / "p", "ulimit -v > found; ulimit -t >> found; ulimit -f >> found")], tmp_path
        )
        assert (tmp_path / "found").read_text().split() == ["2097152", "120", "1048576"]

    def test_its_messages_do_not_fill_the_memory(self, tmp_path: Path) -> None:
        program = script(tmp_path / "p", "head -c 50000000 /dev/zero | tr '\\0' x >&2; echo the end >&2")
        tracemalloc.start()
        try:
            assert run_program([program], tmp_path).endswith("the end")
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()
        assert [path.name for path in tmp_path.iterdir()] == ["p"]

    def test_one_that_does_not_end_is_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(programs, "PROGRAM_SECONDS", 0.2)
        with pytest.raises(JobError, match="without an end"):
            run_program([script(tmp_path / "p", "exec sleep 60")], tmp_path)

    def test_what_it_says_is_printable_and_short(self, tmp_path: Path) -> None:
        said = run_program([script(tmp_path / "p", "printf 'a\\033[31mb%01000d' 1 >&2")], tmp_path)
        assert "\033" not in said
        assert len(said) <= 400


class TestDjVu:
    def test_without_the_program_there_is_no_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert djvu_worker(50) is None

    def test_a_program_that_makes_nothing_is_an_error_that_quotes_it(self, program: Path, run: Run) -> None:
        script(program / "ddjvu", "echo 'corrupted file' >&2; exit 10")
        worker = djvu_worker(50)
        assert worker is not None
        with pytest.raises(JobError, match=r"damaged or cut short \(corrupted file\)"):
            run(worker, "DjVu2PDF", DJVU)

    def test_another_file_is_refused(self, program: Path, run: Run) -> None:
        script(program / "ddjvu", "touch called")
        worker = djvu_worker(50)
        assert worker is not None
        with pytest.raises(JobError, match="not a DjVu file"):
            run(worker, "DjVu2PDF", prose())

    @pytest.mark.skipif(not (shutil.which("ddjvu") and shutil.which("c44")), reason="needs djvulibre-bin")
    def test_a_real_file_becomes_a_pdf_with_its_page(self, run: Run, tmp_path: Path) -> None:
        page = Image.effect_noise((300, 200), 40)
        page.save(tmp_path / "page.pgm")
        subprocess.run(["c44", "-dpi", "100", "page.pgm", "page.djvu"], cwd=tmp_path, check=True)
        worker = djvu_worker(50)
        assert worker is not None
        outcome = run(worker, "DjVu2PDF", (tmp_path / "page.djvu").read_bytes())
        assert [result.type for result in outcome.results] == ["Pdf"]
        with pypdfium2.PdfDocument(outcome.results[0].path) as document:
            assert len(document) == 1
            assert document[0].get_width() / document[0].get_height() == pytest.approx(1.5, abs=0.01)


class TestSpeech:
    def test_without_the_program_there_is_no_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert speech_worker() is None

    def test_a_program_that_makes_nothing_is_an_error(self, program: Path, run: Run) -> None:
        script(program / "espeak-ng", "echo 'no voice' >&2")
        worker = speech_worker()
        assert worker is not None
        with pytest.raises(JobError, match=r"cannot be read aloud \(no voice\)"):
            run(worker, "ConvertTextToSpeech", b"Read this.")

    def test_a_very_long_text_is_refused(self, program: Path, run: Run) -> None:
        script(program / "espeak-ng", "touch called")
        worker = speech_worker()
        assert worker is not None
        with pytest.raises(JobError, match="at most 50000 characters"):
            run(worker, "ConvertTextToSpeech", b"a" * (MOST_CHARACTERS + 1))

    @pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
    def test_a_longer_text_is_a_longer_sound_of_the_documented_form(self, run: Run) -> None:
        worker = speech_worker()
        assert worker is not None
        seconds = []
        for text in (b"River.", b"The river rose in the night and carried away two fences."):
            (result,) = run(worker, "ConvertTextToSpeech", text).results
            assert result.type == "WavFile"
            with wave.open(str(result.path), "rb") as sound:
                assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 3, 22050)
                seconds.append(sound.getnframes() / 22050)
        assert 0.2 < seconds[0] < seconds[1]

    def test_widening_keeps_the_sound(self, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "narrow.wav"), "wb") as sound:
            sound.setparams((1, 2, 22050, 0, "NONE", "not compressed"))
            sound.writeframes(b"\x01\x02\xff\x7f\x00\x80")
        widen(tmp_path / "narrow.wav", tmp_path / "wide.wav")
        with wave.open(str(tmp_path / "wide.wav"), "rb") as sound:
            assert (sound.getsampwidth(), sound.getnframes()) == (3, 3)
            assert sound.readframes(3) == b"\x00\x01\x02\x00\xff\x7f\x00\x00\x80"
