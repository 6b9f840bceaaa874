"""
The vendor's SDK and our operators on the same cloud tasks, for each operation: what one submits, the other one fetches.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api.operations import OPERATIONS, TRIAL_SUFFIX
from tests.contract.samples import settings_of
from tests.support.airflow_tasks import execute
from tests.support.ocr_tasks import completed, fetch, now_text, recognize
from tools.operation_pages import operator_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.server import Emulator
    from tests.contract.sdk import Sdk

NAMES = sorted(name for name in OPERATIONS if not name.endswith(TRIAL_SUFFIX))


@pytest.mark.parametrize("name", NAMES)
def test_what_one_submits_the_other_one_fetches(
    sdk: Sdk,
    aspose_ocr_emulator: Emulator,
    aspose_ocr_connect: Callable[[str], None],
    token: str,
    document: Callable[[str], Path],
    tmp_path: Path,
    name: str,
) -> None:
    aspose_ocr_connect("ocr")
    file, who = document(name), {"host": aspose_ocr_emulator.url, "token": token, "operation": name}
    given: dict[str, Any] = {"settings": settings_of(name)} if settings_of(name) else {}
    ours = execute(recognize(str(file), getattr(operators, operator_of(name)), **given))
    theirs = {**ours, "id": sdk.call("submit", file=str(file), settings=settings_of(name), **who)}
    assert ours["id"] != theirs["id"]
    completed(aspose_ocr_emulator.control)

    by_sdk = sdk.call("fetch", id=ours["id"], **who)["results"]
    manifest = execute(fetch({**theirs, "submitted_at": now_text()}, f"{tmp_path}/out/"))
    # The canned engine makes the same of the same document.
    assert [(result["type"], base64.b64decode(result["data"])) for result in by_sdk] == [
        (result["type"], Path(result["uri"].removeprefix("file://")).read_bytes())
        for result in manifest["results"]
    ]
    assert by_sdk
    assert aspose_ocr_emulator.control.billing() == {name: 2}
