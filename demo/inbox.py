"""The documents that the example DAGs read in `make airflow`: one of each kind that `mapped_folder` looks for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from demo.processes import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from demo.rest import AirflowRest

SCANS = CHECKOUT / "demo" / "scans"
POOL = "aspose_ocr"
POOL_SLOTS = 20


def fill_inbox(folder: Path) -> None:
    """Write a PNG, one with an upper-case name, a JPEG, a TIFF and a PDF of the bundled scans.

    :param folder: is made.
    """
    from PIL import Image  # Comes with the extra "emulator".

    folder.mkdir(parents=True)
    shutil.copy(SCANS / "01-75dpi.png", folder / "page.png")
    shutil.copy(SCANS / "08-150dpi-faded.png", folder / "LETTER.PNG")
    for scan, name in (
        ("05-150dpi-specks", "photo.jpeg"),
        ("09-100dpi-skewed", "fax.tiff"),
        ("01-75dpi", "report.pdf"),
    ):
        with Image.open(SCANS / f"{scan}.png") as picture:
            picture.convert("L").save(folder / name)


def environment(inbox: Path, outbox: Path) -> dict[str, str]:
    """Return the environment variables that contain the defaults of the example DAGs' parameters.

    :param inbox: folder that `fill_inbox` has filled.
    :param outbox: folder for the results; the operators create it.
    """
    return {
        "ASPOSE_OCR_EXAMPLES_INBOX": f"file://{inbox}/",
        "ASPOSE_OCR_EXAMPLES_OUTBOX": f"file://{outbox}/",
    }


def create_pool(rest: AirflowRest) -> None:
    """Create the pool of `mapped_folder`, which counts deferred tasks.

    :param rest: an Airflow without it.
    """
    description = "cloud tasks in flight"
    rest.post(
        "/pools", {"name": POOL, "slots": POOL_SLOTS, "description": description, "include_deferred": True}
    )
