from __future__ import annotations

import ast
import io
import json
import wave
import zipfile
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

import pytest

from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text, filled_png, tiny_png
from tests.support.emulator_clients import CloudClient, decoded
from tests.support.result_types import FORMATS

RECT = {"topLeftX": 0, "topLeftY": 0, "bottomRightX": 9, "bottomRightY": 9}


def test_the_answer_has_the_shape_of_the_document(cloud: CloudClient) -> None:
    task_id = cloud.submit(settings={"resultType": "Text"})
    cloud.wait(task_id)

    answer = cloud.fetch(task_id)

    assert list(answer) == ["id", "taskStatus", "responseStatusCode", "results", "error"]
    assert answer["id"] == task_id
    assert (answer["taskStatus"], answer["responseStatusCode"], answer["error"]) == ("Completed", "Ok", None)
    assert decoded(answer) == [("Text", canned_text(sha256(b"image").hexdigest()).encode())]


@pytest.mark.parametrize(("result_type", "types"), FORMATS)
def test_a_combined_type_gives_one_entry_per_format(
    cloud: CloudClient, result_type: str, types: list[str]
) -> None:
    results = decoded(cloud.run(settings={"resultType": result_type}))

    assert [kind for kind, _ in results] == types
    for kind, content in results:
        check_file(kind, content)


@pytest.mark.parametrize(
    ("operation", "settings", "types"),
    [
        ("RecognizePdf", {}, ["Text"]),
        ("RecognizeReceipt", {"resultType": "JSON"}, ["JSON"]),
        ("RecognizeTable", {}, ["Text"]),
        ("RecognizeTable", {"resultType": "JSON"}, ["JSON"]),
        ("RecognizeTable", {"resultTypeTable": "Csv"}, ["Csv"]),
        ("RecognizeTable", {"resultTypeTable": "CsvAndExcel"}, ["Csv", "Excel"]),
        ("RecognizeLabel", {}, ["Text"]),
        ("DjVu2PDF", {}, ["Pdf"]),
        ("BinarizeImage", None, ["ImagePNG"]),
        ("DeskewImage", None, ["ImagePNG"]),
        ("DewarpImage", None, ["ImagePNG"]),
        ("UpscaleImage", None, ["ImagePNG"]),
    ],
)
def test_every_operation_gives_a_valid_file(
    cloud: CloudClient, operation: str, settings: Any, types: list[str]
) -> None:
    results = decoded(cloud.run(operation, settings=settings))

    assert [kind for kind, _ in results] == types
    for kind, content in results:
        check_file(kind, content)


def check_file(kind: str, content: bytes) -> None:
    if kind == "Pdf":
        check_pdf(content)
    elif kind == "ImagePNG":
        check_png(content)
    elif kind == "Hocr":
        words = ElementTree.fromstring(content).iterfind(".//*[@class='ocrx_word']")
        assert next(words).text == "This"
    elif kind == "JSON":
        assert json.loads(content)[0]["text"].startswith("This is the canned text")
    elif kind == "Excel":
        with zipfile.ZipFile(io.BytesIO(content)) as workbook:
            for name in workbook.namelist():
                ElementTree.fromstring(workbook.read(name))
            assert "xl/workbook.xml" in workbook.namelist()
    elif kind == "Csv":
        assert content.startswith(b"0,1\n")
    else:
        assert content.decode()


def check_pdf(content: bytes) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(content)
    page = document[0]
    text = page.get_textpage()
    try:
        assert "This is the canned text" in text.get_text_range()
        assert len(document) == 1
    finally:
        for thing in (text, page, document):
            thing.close()


def check_png(content: bytes) -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(io.BytesIO(content)) as picture:
        picture.load()
        assert picture.size == (8, 8)


def test_detected_regions_are_nested_lists(cloud: CloudClient) -> None:
    assert decoded(cloud.run("DetectRegions", settings={})) == [("Other", b"[[0, 8, 697, 441]]")]


def test_fonts_are_a_python_literal(cloud: CloudClient) -> None:
    ((kind, content),) = decoded(cloud.run("IdentifyFont", settings={}))

    assert kind == "Text"
    assert ast.literal_eval(content.decode())["style"] == "regular"


def test_an_invoice_is_json_in_a_text(cloud: CloudClient) -> None:
    ((kind, content),) = decoded(cloud.run("RecognizeAndParseInvoice", settings={}))

    assert kind == "Text"
    assert json.loads(content)["total_amount"] == 42.0


def test_speech_is_a_wav_file(cloud: CloudClient) -> None:
    body = {"text": "Hello.", "settings": {"language": "English", "resultType": "Wav"}}
    task_id = cloud.call("POST", "ConvertTextToSpeech", json=body).text
    cloud.wait(task_id)

    ((kind, content),) = decoded(cloud.fetch(task_id, "ConvertTextToSpeech"))

    assert kind == "WavFile"
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 3, 22050)


@pytest.mark.parametrize("count", [1, 3])
def test_every_region_gives_one_entry(cloud: CloudClient, count: int) -> None:
    regions = [{"order": index, "rect": RECT} for index in range(count)]

    results = decoded(cloud.run("RecognizeRegions", settings={"regions": regions}))

    assert [content.decode().split("\n")[-1] for _, content in results] == [
        f"Region {index + 1}." for index in range(count)
    ]


def test_no_regions_give_no_results(cloud: CloudClient) -> None:
    answer = cloud.run("RecognizeRegions", settings={})

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Completed", "NoAnyResultData")
    assert answer["results"] is None


def test_the_same_input_gives_the_same_bytes(cloud: CloudClient) -> None:
    runs = [cloud.run("RecognizeTable", settings={"resultTypeTable": "CsvAndExcel"}) for _ in range(2)]

    assert runs[0]["results"] == runs[1]["results"]


def test_another_input_gives_another_picture(cloud: CloudClient) -> None:
    pictures = [cloud.run("BinarizeImage", image)["results"][0]["data"] for image in (b"a", b"b")]

    assert pictures[0] != pictures[1]


def test_results_can_be_fetched_again(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)

    assert cloud.fetch(task_id) == cloud.fetch(task_id)


@pytest.mark.parametrize("accept", ["text/plain", "application/json", "image/png"])
def test_a_get_is_json_for_any_accept_header(cloud: CloudClient, accept: str) -> None:
    task_id = cloud.submit()
    for path in ("RecognizeImage", "Utilities/GetTaskStatus"):
        answer = cloud.call("GET", path, params={"id": task_id}, headers={"Accept": accept})
        assert answer.json()["id"] == task_id


@pytest.mark.parametrize("size", [0, 1, 2, 3, 196_607, 196_608, 196_609, 1_500_001])
def test_results_of_any_size_arrive_whole_with_their_length_told(scripted: CloudClient, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    task_id = scripted.submit(image=b"echo:" + content)
    scripted.wait(task_id)

    answer = scripted.call("GET", "RecognizeImage", params={"id": task_id})

    assert decoded(answer.json()) == [("Text", content)]
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_warnings_stand_beside_success(scripted: CloudClient) -> None:
    answer = scripted.run(image=b"warn:text")

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Completed", "Ok")
    assert answer["error"] == {"messages": ["slow"], "warnings": ["blurred"]}
    assert decoded(answer) == [("Text", b"text")]


def test_pictures_can_be_filled_up_to_a_size() -> None:
    picture = tiny_png("seed")
    large = filled_png(picture, 5000, "seed")

    assert len(large) == 5000
    check_png(large)
    assert large == filled_png(picture, 5000, "seed") != filled_png(picture, 5000, "other")
    assert filled_png(picture, len(picture), "seed") == picture
