from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

    import requests

    from tests.support.emulator_clients import CloudClient, ScriptedWorker

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SPEECH = {"text": "Hello.", "settings": {"language": "English", "resultType": "Wav"}}


def refused(answer: requests.Response, field: str) -> str:
    """Assert a 400 that names the field; return the sentence."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert list(answer.json()["errors"]) == [field]
    return str(answer.json()["errors"][field][0])


@pytest.mark.parametrize("accept", [None, "text/plain", "application/json", "*/*"])
def test_a_submit_is_answered_with_the_bare_id(cloud: CloudClient, accept: str | None) -> None:
    answer = cloud.post("RecognizeImage", settings={}, headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert re.fullmatch(GUID, answer.text)


@pytest.mark.parametrize(("accept", "quoted"), [("application/json", True), ("text/plain", False)])
def test_the_id_may_be_quoted_by_option(otherwise: CloudClient, accept: str, quoted: bool) -> None:
    answer = otherwise.post("RecognizeImage", settings={}, headers={"Accept": accept})

    assert re.fullmatch(f'"{GUID}"' if quoted else GUID, answer.text)


@pytest.mark.parametrize("operation", ["ConvertTextToSpeech", "ConvertTextToSpeechTrial"])
def test_ids_of_text_to_speech_start_with_tts(cloud: CloudClient, operation: str) -> None:
    answer = cloud.call("POST", operation, json=SPEECH)

    assert re.fullmatch(f"TTS{GUID.replace('{8}', '{5}', 1)}", answer.text)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_paths_have_any_casing(cloud: CloudClient, operation: str) -> None:
    body: dict[str, Any] = SPEECH if "Speech" in operation else {"image": "aGVsbG8=", "settings": {}}
    for path in (operation, operation.lower(), operation.upper()):
        task_id = cloud.call("POST", path, json=body).text
        cloud.wait(task_id)
        assert cloud.fetch(task_id, path)["taskStatus"] == "Completed", path

    assert cloud.emulator.control.billing() == {operation: 3}


def test_the_prefix_has_any_casing_too(cloud: CloudClient) -> None:
    answer = cloud.session.get(f"{cloud.url}/V5.0/OCR/recognizeimage?ID=x", headers=cloud.headers)

    assert answer.json()["taskStatus"] == "NotExist"


@pytest.mark.parametrize("path", ["Nothing", "", "RecognizeImage/more", "../../connect/token"])
def test_an_unknown_path_is_a_404(cloud: CloudClient, path: str) -> None:
    answer = cloud.session.get(f"{cloud.url}/v5.0/ocr/{path.replace('..', '%2e%2e')}", headers=cloud.headers)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "RecognizeImage"), ("POST", "Utilities/GetTaskStatus"), ("DELETE", "Utilities/GetTaskStatus")],
)
def test_another_method_is_a_405(cloud: CloudClient, method: str, path: str) -> None:
    answer = cloud.call(method, path)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("image", ["%%%", "aGVsbG8", "aGVs\nbG8=", "data:image/png;base64,aGVsbG8=", "żaGk="])
def test_an_image_that_is_not_base64_is_refused(cloud: CloudClient, image: str) -> None:
    answer = cloud.call("POST", "RecognizeImage", json={"image": image, "settings": {}})

    assert "base64" in refused(answer, "Image")
    assert cloud.emulator.control.billing() == {}


def test_an_image_that_is_not_base64_may_end_the_task_by_option(otherwise: CloudClient) -> None:
    answer = otherwise.call("POST", "RecognizeImage", json={"image": "%%%", "settings": {}})

    assert answer.status_code == 200
    failed = otherwise.fetch(answer.text)
    assert (failed["taskStatus"], failed["responseStatusCode"]) == ("Error", "Error")
    assert "base64" in failed["error"]["messages"][0]


@pytest.mark.parametrize("image", [None, "", 5, ["aGVsbG8="]])
def test_no_image_is_refused_even_so(otherwise: CloudClient, image: object) -> None:
    answer = otherwise.call("POST", "RecognizeImage", json={"image": image, "settings": {}})

    assert answer.status_code == (200 if image == "" else 400)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe\x00", b"[" * 100_000, b'{"image":"aGk=",}']
)
def test_a_body_that_is_no_json_object_is_refused(cloud: CloudClient, body: bytes) -> None:
    answer = cloud.call("POST", "RecognizeImage", data=body, headers={"Content-Type": "application/json"})

    refused(answer, "$")


def test_the_pdf_goes_under_the_key_image(cloud: CloudClient) -> None:
    answer = cloud.call("POST", "RecognizePdf", json={"pdf": "aGVsbG8=", "settings": {}})

    assert "required" in refused(answer, "Image")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_a_413(cloud: CloudClient, declared: bool) -> None:
    body = b'{"image":"' + b"A" * 4_000_000 + b'"}'
    data = body if declared else iter([body[:2_000_000], body[2_000_000:]])

    answer = cloud.call("POST", "RecognizeImage", data=data)

    assert answer.status_code == 413
    assert "--max-body-bytes" in answer.json()["detail"]
    assert cloud.emulator.control.billing() == {}
    assert cloud.submit()


@pytest.mark.parametrize("key", ["Rotate", "rotate", "ROTATE"])
def test_settings_reach_the_worker_in_the_servers_spelling(
    scripted: CloudClient, worker: ScriptedWorker, key: str
) -> None:
    scripted.run(settings={key: -90, "LANGUAGE": "Polish", "makeskewcorrect": False, "dsrMode": None})

    assert dict(worker.jobs[0].settings) == {"Rotate": -90, "language": "Polish", "makeSkewCorrect": False}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"langauge": "English"}, "Settings.langauge"),
        ({"\x1b[2J": 1}, r"Settings.\x1b[2J"),
        ({"language": "Klingon"}, "Settings.language"),
        ({"language": "english"}, "Settings.language"),
        ({"language": "HWT_eng"}, "Settings.language"),
        ({"language": ["English"]}, "Settings.language"),
        ({"dsrMode": "CraftPoly"}, "Settings.dsrMode"),
        ({"makeBinarization": "true"}, "Settings.makeBinarization"),
        ({"makeBinarization": 1}, "Settings.makeBinarization"),
        ({"rotate": "90"}, "Settings.Rotate"),
        ({"rotate": True}, "Settings.Rotate"),
        ({"rotate": 2**31}, "Settings.Rotate"),
        ({"regions": {}}, "Settings.regions"),
        ({"regions": [[0, 0, 1, 1]]}, "Settings.regions"),
        ({"regions": [{"order": 0}]}, "Settings.regions"),
        ({"regions": [{"order": 0, "rect": {"topLeftX": 1.5}}]}, "Settings.regions"),
        ({"regions": [{"order": 0, "rect": {}}] * 1001}, "Settings.regions"),
        ([], "Settings"),
        ("English", "Settings"),
    ],
)
def test_bad_settings_are_refused(cloud: CloudClient, settings: object, field: str) -> None:
    refused(cloud.post("RecognizeImage", settings=settings), field)


def test_bad_settings_may_be_ignored_by_option(otherwise: CloudClient) -> None:
    assert otherwise.run(settings={"langauge": 1, "resultType": "Nothing"})["results"][0]["type"] == "Text"


def test_the_spellings_of_the_docs_are_an_option(otherwise: CloudClient) -> None:
    settings = {"dsrMode": "CraftPoly", "language": "HWT_eng", "resultType": "hocr"}

    assert otherwise.run(settings=settings)["results"][0]["type"] == "Hocr"


@pytest.mark.parametrize(("choice", "status"), [("cloud", 200), ("otherwise", 400)])
def test_whether_settings_are_required_is_an_option(
    request: pytest.FixtureRequest, choice: str, status: int
) -> None:
    client: CloudClient = request.getfixturevalue(choice)

    assert client.post("DjVu2PDF").status_code == status
    assert client.post("BinarizeImage").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"settings": SPEECH["settings"]}, "Text"),
        ({**SPEECH, "text": ""}, "Text"),
        ({**SPEECH, "text": "\ud800"}, "Text"),
        ({"text": "Hello."}, "Settings"),
        ({"text": "Hello.", "settings": {"language": "English"}}, "Settings.resultType"),
        ({"text": "Hello.", "settings": {"language": "German", "resultType": "Wav"}}, "Settings.language"),
    ],
)
def test_text_to_speech_wants_text_and_both_settings(cloud: CloudClient, body: object, field: str) -> None:
    refused(cloud.call("POST", "ConvertTextToSpeech", json=body), field)


def test_keys_of_the_body_have_any_casing(cloud: CloudClient) -> None:
    assert cloud.call("POST", "RecognizeImage", json={"Image": "aGk=", "Settings": {}}).status_code == 200


def test_nothing_of_a_refused_submit_stays_on_disk(cloud: CloudClient, canned_folder: Path) -> None:
    before = set(canned_folder.rglob("*"))
    cloud.call("POST", "RecognizeImage", json={"image": "%%%"})
    cloud.call("POST", "RecognizeImage", data=b"x" * 4_000_000)

    # What the tests before have left may go meanwhile.
    assert set(canned_folder.rglob("*")) <= before
