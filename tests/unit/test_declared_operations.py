"""
An operation that the vendor adds after this version: a user declares it, and everything works with it.

The emulator is told of the same operation; nothing else in this project knows it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_asposeocr import Operation
from airflow_provider_asposeocr.api.errors import InputError, SettingsError, TrialNotAvailableError
from airflow_provider_asposeocr.api.operation_lookup import find_operation, parse_operation
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrSubmitOperator,
)
from tests.support.airflow_names import DagSerialization
from tests.support.airflow_tasks import PNG, deferral, events_of, execute, resume
from tests.support.declared_operations import CLEAN, HANDWRITING
from tests.support.ocr_tasks import fetch, recognize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

SUMMARY = Operation("SummarizeText", input_types=frozenset({"text"}), body_field="phrase")
QUICKLY: dict[str, Any] = {"poll_interval_seconds": 0.02, "max_poll_interval_seconds": 0.05}
TEXT = {"resultType": "Text", "strokes": 3}
FORMS = [HANDWRITING, HANDWRITING.to_dict()]


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator(Options(engine="canned", operations=(HANDWRITING, CLEAN, SUMMARY))) as running:
        yield running


@pytest.fixture
def newer_cloud(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> EmulatorControl:
    """Return the control of a cloud that has more operations; the connection ``ocr`` leads to it."""
    from airflow_provider_asposeocr import clients

    monkeypatch.setattr(clients, "_clients", {})
    server.control.reset()
    connection = {"host": server.url, "login": server.client_id, "password": server.client_secret}
    monkeypatch.setenv("AIRFLOW_CONN_OCR", json.dumps({"conn_type": "aspose_ocr", **connection}))
    return server.control


def submit(page: str, operation: Any = HANDWRITING, **given: Any) -> Any:
    return recognize(page, AsposeOcrSubmitOperator, operation=operation, **{"settings": TEXT, **given})


@pytest.mark.parametrize("operation", FORMS, ids=["object", "mapping"])
def test_an_operator_submits_it(
    newer_cloud: EmulatorControl, page: str, tmp_path: Path, operation: Any
) -> None:
    ref = execute(submit(page, operation))
    manifest = execute(fetch(ref, f"{tmp_path}/out/"))
    assert ref["operation"] == "RecognizeHandwriting"
    assert [entry["type"] for entry in manifest["results"]] == ["Text"]
    assert (tmp_path / "out" / "page.txt").exists()
    assert newer_cloud.billing() == {"RecognizeHandwriting": 1}


async def test_the_triggerer_waits_for_it(newer_cloud: EmulatorControl, page: str) -> None:
    operator = submit(page, deferrable=True, inline_wait_seconds=0)
    trigger: Any = deferral(operator).trigger
    trigger.plan["not_before_at"] = 0
    (event,) = await events_of(trigger)
    assert resume(operator, event)["operation"] == "RecognizeHandwriting"


def test_the_file_of_one_without_a_source_is_named_without_a_folder(
    newer_cloud: EmulatorControl, page: str, tmp_path: Path
) -> None:
    ref = execute(submit(page, CLEAN, settings=None))
    execute(fetch({**ref, "source_name": None}, f"{tmp_path}/out/"))
    (written,) = (tmp_path / "out").glob("*.png")
    assert written.name == f"ImageProcessing-CleanImage-{ref['id']}.png"
    assert [entry["path"] for entry in newer_cloud.journal() if entry["method"] == "POST"][-1] == (
        "/v5.0/ocr/ImageProcessing/CleanImage"
    )


def test_the_hook_submits_hands_on_and_cancels_it(newer_cloud: EmulatorControl, page: str) -> None:
    hook = AsposeOcrHook("ocr")
    cleaned = hook.submit(CLEAN, page)
    hook.wait(cleaned, **QUICKLY)
    read = hook.submit(HANDWRITING, cleaned, settings=TEXT)
    hook.wait(read, **QUICKLY)
    summary = hook.submit(SUMMARY, read)
    hook.cancel(summary)
    assert newer_cloud.billing() == {CLEAN.name: 1, "RecognizeHandwriting": 1, "SummarizeText": 1}
    assert [task["operation"] for task in newer_cloud.tasks() if task["deleted"]] == ["SummarizeText"]


@pytest.mark.parametrize("operation", FORMS, ids=["object", "mapping"])
def test_it_is_a_step_of_a_batch(
    newer_cloud: EmulatorControl, page: str, tmp_path: Path, operation: Any
) -> None:
    batch = AsposeOcrBatchOperator(
        task_id="read",
        sources=[page],
        steps=[CLEAN, "BinarizeImage", {"operation": operation, "settings": TEXT}],
        destination=f"{tmp_path}/out/",
        aspose_ocr_conn_id="ocr",
        keep_steps=True,
        **QUICKLY,
    )
    summary = execute(batch)
    (row,) = read_manifest(summary["manifest"])
    assert row.outcome == "succeeded"
    assert [step.operation for step in row.steps] == [CLEAN.name, "BinarizeImage", "RecognizeHandwriting"]
    # A slash in the name of an operation makes no folder.
    assert row.steps[0].result is not None
    assert Path(row.steps[0].result.uri).name.startswith("1-ImageProcessing-CleanImage-")
    assert (tmp_path / "out" / "page.png.txt").exists()


def test_a_step_that_does_not_fit_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(
        InputError, match=r"Step 2, ImageProcessing/CleanImage, reads .*makes \(Text\) is of these types"
    ):
        AsposeOcrBatchOperator(
            task_id="read",
            sources="/in/",
            steps=[{"operation": HANDWRITING, "settings": TEXT}, CLEAN],
            destination="/out/",
        )


def test_its_settings_are_checked_as_far_as_they_are_known() -> None:
    with pytest.raises(
        SettingsError, match="'stroke' does not apply to RecognizeHandwriting. Did you mean 'strokes'"
    ):
        submit("/page.png", settings={"stroke": 3})
    with pytest.raises(SettingsError, match="Did you mean 'English'"):
        submit("/page.png", settings={"language": "english"})


def test_what_it_does_not_read_is_refused_before_anything_is_sent(
    newer_cloud: EmulatorControl, tmp_path: Path
) -> None:
    (tmp_path / "page.gif").write_bytes(b"GIF89a\xff\x00\x01\x00\x01\x00\x00")
    with pytest.raises(InputError, match="looks like gif; RecognizeHandwriting reads pdf, png"):
        AsposeOcrHook("ocr").submit(HANDWRITING, f"{tmp_path}/page.gif")
    assert newer_cloud.billing() == {}


PROGRAM = """
import json
from airflow.sdk import DAG
from tests.support.airflow_names import DagSerialization
from tests.support.declared_operations import dag_with_declared_operations
print(json.dumps(DagSerialization.to_dict(dag_with_declared_operations()), sort_keys=True))
"""


def test_a_dag_with_it_is_serialized_the_same_in_every_process() -> None:
    """Airflow makes a new version of a DAG whose serialization has changed; a set of texts has a random order."""
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.splitlines()[-1])
    (serialized,) = found
    again = DagSerialization.from_dict(json.loads(serialized))
    assert set(again.task_dict) == {"one", "mapped", "batch", "batches"}
    assert "RecognizeHandwriting" in serialized


def test_a_template_in_the_settings_of_a_step_is_rendered(
    newer_cloud: EmulatorControl, page: str, tmp_path: Path
) -> None:
    with DAG("d", render_template_as_native_obj=False):
        batch = AsposeOcrBatchOperator(
            task_id="read",
            sources=[page],
            steps=[{"operation": HANDWRITING, "settings": {"resultType": "{{ params.type }}"}}],
            destination=f"{tmp_path}/out/",
            aspose_ocr_conn_id="ocr",
            **QUICKLY,
        )
    batch.render_template_fields({"params": {"type": "Pdf"}})
    execute(batch)
    assert (tmp_path / "out" / "page.png.pdf").exists()


class TestTheDeclaration:
    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"name": "../x"}, "'../x' is not a name of an operation"),
            ({}, "name: Field required|name: Missing"),
            ({"name": "New", "bodyfield": "x"}, "'bodyfield' is no field of it. Did you mean 'body_field'"),
            ({"name": "New", "body_field": "settings"}, "body_field 'settings' is no name of a field"),
            ({"name": "New", "body_field": 'x"y'}, "is no name of a field"),
            (
                {"name": "New", "input_types": ["docx"]},
                r"input_types has \['docx'\]; the provider recognizes bigtiff",
            ),
            ({"name": "New", "input_types": []}, "input_types is empty"),
            ({"name": "New", "settings": "language"}, "settings: "),
            (
                {"name": "New", "settings": ["a"], "has_settings": False},
                "It has settings and has_settings=False",
            ),
            ({"name": "New", "required_settings": ["a"]}, r"required_settings has \['a'\]"),
            ({"name": "New", "needs_token": False}, "if, and only if, its name ends in Trial"),
            ({"name": "NewTrial"}, "if, and only if, its name ends in Trial"),
            ({"name": "New", "trial": "Try"}, "The name of a trial variant ends in Trial"),
            ({"name": "New", "result_suffix": "../x"}, "result_suffix '../x' is none of"),
        ],
        ids=str,
    )
    def test_one_that_makes_no_sense_is_an_error_at_parse_time(
        self, fields: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(InputError, match=says) as refused:
            submit("/page.png", fields, settings=None)
        assert "Correct the DAG." in str(refused.value)

    @pytest.mark.parametrize("operation", [7, None, ["RecognizeImage"]], ids=str)
    def test_something_else_is_an_error(self, operation: Any) -> None:
        with pytest.raises(InputError, match="An operation is a name, an Operation or its fields"):
            submit("/page.png", operation)

    def test_a_name_that_is_not_known_says_how_to_declare_it(self) -> None:
        with pytest.raises(InputError, match="Declare it as an Operation if it is newer"):
            submit("/page.png", "Zzz")

    @pytest.mark.parametrize("name", sorted(OPERATIONS))
    def test_rows_of_the_table_survive_plain_json(self, name: str) -> None:
        row = OPERATIONS[name]
        assert parse_operation(json.loads(json.dumps(row.to_dict()))) == row
        assert parse_operation(row) is row

    def test_the_trial_variant_of_a_declared_operation(self) -> None:
        assert find_operation({"name": "New", "trial": "NewTrial"}, trial=True).path.endswith("/NewTrial")
        assert not find_operation({"name": "New", "trial": "NewTrial"}, trial=True).needs_token
        with pytest.raises(TrialNotAvailableError, match="New has no trial variant"):
            find_operation({"name": "New"}, trial=True)


class TestTheEmulator:
    @pytest.mark.parametrize("body", [{"image": "AA=="}, {"page": "AA==", "settings": {"other": 1}}], ids=str)
    def test_it_refuses_what_was_not_declared(
        self, newer_cloud: EmulatorControl, server: Emulator, body: dict[str, Any]
    ) -> None:
        import requests

        form = {
            "grant_type": "client_credentials",
            "client_id": server.client_id,
            "client_secret": server.client_secret,
        }
        token = requests.post(f"{server.url}/connect/token", data=form, timeout=60).json()["access_token"]
        answer = requests.post(
            f"{server.url}{HANDWRITING.path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert answer.status_code == 400

    def test_it_cannot_declare_what_it_has(self) -> None:
        with pytest.raises(ValueError, match="names recognizeimage, which the emulator has already"):
            Options(operations=({"name": "recognizeimage"},))

    def test_other_operators_are_not_affected(self, newer_cloud: EmulatorControl, page: str) -> None:
        execute(recognize(page, AsposeOcrRecognizeImageOperator))
        assert newer_cloud.billing() == {"RecognizeImage": 1}
        assert PNG
