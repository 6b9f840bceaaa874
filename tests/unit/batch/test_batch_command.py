"""``python -m airflow_provider_asposeocr.batch``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.__main__ import main
from airflow_provider_asposeocr.batch.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_drain_reaches_the_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"{tmp_path}/batches/k/2/"
    journal = Journal.create(ObjectStoragePath(folder), {"documents": []}).journal
    assert main(["drain", folder]) == 0
    assert journal.check().drain
    assert folder in capsys.readouterr().out


def test_what_is_no_journal_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drain", f"{tmp_path}/batches/k/2"]) == 1
    assert main(["drain", "nowhere://bucket/batches/k/2"]) == 2
    shown = capsys.readouterr()
    assert "no journal" in shown.err
    assert "nowhere://" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_it_is_a_command() -> None:
    command = [sys.executable, "-m", "airflow_provider_asposeocr.batch", "--help"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 0
    assert "drain" in asked.stdout


def test_a_command_line_that_makes_no_sense_ends_it_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
