from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from demo.scans.make_scans import FOLDER, SCANS, TRUTH, make_scans

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made() -> dict[str, Image.Image]:
    return make_scans()


@pytest.mark.parametrize("name", SCANS)
def test_making_a_scan_again_gives_the_committed_pixels(name: str, made: dict[str, Image.Image]) -> None:
    with Image.open(FOLDER / f"{name}.png") as committed:
        assert committed.mode == "L"
        assert np.array_equal(np.asarray(committed), np.asarray(made[name]))


def test_the_folder_holds_the_ten_scans_and_no_others() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.png")) == sorted(SCANS)
    assert len(SCANS) == 10


def test_the_scans_stay_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 4_000_000


def test_every_scan_is_another_one(made: dict[str, Image.Image]) -> None:
    assert len({scan.tobytes() for scan in made.values()}) == len(SCANS)


def test_the_truth_is_a_page_of_plain_english() -> None:
    text = TRUTH.read_text(encoding="utf-8")
    assert 600 <= len(text) <= 900
    assert text.isascii()


def test_the_script_writes_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, Image.Image]
) -> None:
    from demo.scans import make_scans as script

    monkeypatch.setattr("sys.argv", ["make_scans", str(tmp_path)])
    script.main()

    for name, scan in made.items():
        with Image.open(tmp_path / f"{name}.png") as written:
            assert written.tobytes() == scan.tobytes()
