"""Each operation of the cloud as the step of a batch, from the source to the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX
from tests.contract.samples import settings_of, write_document
from tests.support.registered_runs import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


@pytest.mark.parametrize("name", sorted(name for name in OPERATIONS if not name.endswith(TRIAL_SUFFIX)))
def test_a_batch_makes_files_of_a_document(cloud: EmulatorControl, tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path)
    document = write_document(name, folder.inbox)
    run = folder.run("once", register=None, steps=[{"operation": name, "settings": settings_of(name)}])
    assert run.go() == {"succeeded": 1, "submits": 1}
    (row,) = run.rows
    assert (row.source or "").endswith(f"/{document.name}")
    assert row.results
    for result in row.results:
        stored = folder.out / result.uri.rpartition("/")[2]
        assert stored.stat().st_size == result.bytes > 0
    assert cloud.billing() == {name: 1}
