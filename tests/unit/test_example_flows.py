"""Example DAGs from the document to the data, in this process, against the emulator."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest
from airflow.sdk import DAG

from airflow_provider_asposeocr.api.results.reading import SPEECH
from airflow_provider_asposeocr.documents.read_results import from_manifest
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.emulator.work.engines import canned
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr
from airflow_provider_asposeocr.ingestion import inbox as ingestion_inbox
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator
from demo.inbox import environment
from tests.contract.samples import write_document
from tests.support.airflow_tasks import PNG
from tests.support.drawn_pages import OTHER_PROSE, PROSE, blank, cer, encoded, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "example_dags"

pytestmark = pytest.mark.slow


@pytest.fixture
def run(aspose_ocr_run_dag: Any, tmp_path: Path) -> Any:
    """Return a function that runs an example on a document which an operation reads."""

    def runs(name: str, operation: str) -> Any:
        scan = write_document(operation, tmp_path)
        conf = {"scan": str(scan), "outbox": f"file://{tmp_path}/out/"}
        return aspose_ocr_run_dag(EXAMPLES / f"{name}.py", conf=conf)

    return runs


def test_a_pdf_becomes_a_text_and_a_searchable_pdf(run: Any, tmp_path: Path) -> None:
    assert run("searchable_pdf", "RecognizePdf").state == "success"
    assert (tmp_path / "out" / "document.txt").read_text().startswith("This is the canned text")
    assert (tmp_path / "out" / "document.pdf").read_bytes().startswith(b"%PDF-")


def test_a_scan_is_read_aloud(run: Any, tmp_path: Path) -> None:
    assert run("read_aloud", "RecognizeImage").state == "success"
    with wave.open(str(tmp_path / "out" / "document.wav"), "rb") as sound:
        assert sound.getframerate() == 22050


def test_an_invoice_hands_its_total_on(run: Any) -> None:
    ended = run("extract", "RecognizeAndParseInvoice")
    assert ended.state == "success"
    assert ended.xcom("book").startswith("canned supplier ")
    assert ended.xcom("book").endswith(": 42.0")


def test_an_inbox_reads_each_content_once(
    aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "out"
    inbox.mkdir()
    # In a minute nothing is tested but a sleep: that a plan looks again after it, is in test_planning.py.
    monkeypatch.setattr(ingestion_inbox, "QUIET_SECONDS", 0.01)
    for name, value in environment(inbox, outbox).items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        (inbox / "page.png").write_bytes(PNG)
        assert aspose_ocr_run_dag(EXAMPLES / "inbox.py").state == "success"
        (inbox / "page.png").rename(inbox / "the-same-again.png")
    assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 1}
    assert [path.name for path in outbox.glob("*.txt")] == ["page.png.txt"]


def test_regions_are_recognized_in_reading_order(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The cloud lists the right column first.
    monkeypatch.setattr(canned, "_REGIONS", [[800, 80, 1400, 400], [60, 80, 700, 400]])
    ended = run("reading_order", "DetectRegions")
    assert ended.state == "success"
    assert [each["rect"]["topLeftX"] for each in ended.xcom("in_reading_order")] == [56, 796]
    paragraphs = (tmp_path / "out" / "document.txt").read_text().split("\n\n")
    assert [paragraph.splitlines()[-1] for paragraph in paragraphs] == ["Region 1.", "Region 2."]


def inbox_with_pages(folder: Path, count: int) -> Path:
    """Make an inbox of pages with different contents."""
    inbox = folder / "inbox"
    inbox.mkdir()
    for number in range(count):
        (inbox / f"page-{number}.png").write_bytes(PNG + bytes([number]))
    return inbox


def test_a_folder_becomes_lines_for_a_search_engine(
    aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path
) -> None:
    inbox = inbox_with_pages(tmp_path, 3)
    conf = {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"}
    lines = []
    for _ in range(2):
        ended = aspose_ocr_run_dag(EXAMPLES / "search_index.py", conf=conf)
        assert (ended.state, ended.xcom("write_index")) == ("success", 3)
        lines.append((tmp_path / "out" / "search-index.jsonl").read_text().splitlines())
    found = [json.loads(line) for line in lines[0]]
    assert [Path(page["source"]).name for page in found] == [f"page-{number}.png" for number in range(3)]
    assert all(page["text"].startswith("This is the canned text") for page in found)
    # A search engine that loads a later run, too, replaces what it has.
    assert [json.loads(line)["id"] for line in lines[1]] == [page["id"] for page in found]
    assert len({page["id"] for page in found}) == 3


@pytest.mark.parametrize(
    "fault",
    [{"kind": "result_type", "result_type": "Other"}, {"kind": "task_error", "messages": ["no text"]}],
    ids=lambda fault: fault["kind"],
)
def test_a_document_that_cannot_be_read_keeps_no_other_one_out_of_the_index(
    aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path, fault: dict[str, Any]
) -> None:
    inbox = inbox_with_pages(tmp_path, 3)
    aspose_ocr_emulator.control.add_faults({**fault, "count": 1})
    conf = {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"}
    ended = aspose_ocr_run_dag(EXAMPLES / "search_index.py", conf=conf)
    assert ended.task_states == {"read": "success", "write_index": "failed"}
    index = tmp_path / "out" / "search-index.jsonl"
    found = {Path(json.loads(line)["source"]).name for line in index.read_text().splitlines()}
    assert len(found) == 2
    (missing,) = {page.name for page in inbox.iterdir()} - found
    write_index = runpy.run_path(str(EXAMPLES / "search_index.py"))["write_index"].function
    with pytest.raises(
        ValueError, match=rf"^2 pages are in the index\. These documents are not: \S*/{missing}: "
    ):
        write_index(ended.xcom("read"), f"file://{index}")


class TestOnceMore:
    """The canned engine is given confidences: it reads nothing, so that it has none of its own."""

    @pytest.fixture
    def read(
        self, aspose_ocr_run_dag: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Callable[..., Any]:
        """Run the example; the confidences, in percent, are those of the readings in their order."""

        def reads(*percents: int) -> Any:
            left = iter(percents)

            def hocr(text: str) -> bytes:
                return tiny_hocr(text).replace(b"title='bbox", b"title='x_wconf %d; bbox" % next(left))

            monkeypatch.setattr(canned, "tiny_hocr", hocr)
            (tmp_path / "page.png").write_bytes(PNG)
            conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out/"}
            ended = aspose_ocr_run_dag(EXAMPLES / "once_more.py", conf=conf)
            assert ended.state == "success"
            return ended

        return reads

    def test_a_scan_that_is_read_well_is_billed_once(
        self, read: Callable[..., Any], aspose_ocr_emulator: Any
    ) -> None:
        ended = read(95)
        assert ended.xcom("better") == ended.xcom("first")
        assert ended.task_states["upscale"] == ended.task_states["second"] == "skipped"
        assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 1}

    @pytest.mark.parametrize(("again", "winner"), [(85, "second"), (40, "first"), (50, "first")])
    def test_of_two_readings_the_better_one_wins(
        self, read: Callable[..., Any], aspose_ocr_emulator: Any, again: int, winner: str
    ) -> None:
        ended = read(50, again)
        assert ended.xcom("first")["outcome"] == "low_quality"
        assert ended.xcom("better") == ended.xcom(winner)
        billed = {"RecognizeImage": 2, "UpscaleImage": 1, "BinarizeImage": 1}
        assert aspose_ocr_emulator.control.billing() == billed


class TestWithARealEngine:
    """The canned one finds one region on every page."""

    @pytest.fixture(scope="class")
    @classmethod
    def aspose_ocr_emulator_server(cls) -> Iterator[Emulator]:
        with Emulator(Options(engine="rapidocr")) as emulator:
            yield emulator

    # The engine is sure of nearly all that it can read: of letters of five pixels it is not.
    @pytest.mark.parametrize(("reduced", "billed"), [(1, 1), (7, 2)])
    def test_a_scan_that_is_hard_to_read_is_read_once_more(
        self, aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path, reduced: int, billed: int
    ) -> None:
        page = write(blank(), PROSE).reduce(reduced)
        (tmp_path / "page.png").write_bytes(encoded(page))
        conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out/"}
        ended = aspose_ocr_run_dag(EXAMPLES / "once_more.py", conf=conf)
        assert ended.state == "success"
        assert aspose_ocr_emulator.control.billing()["RecognizeImage"] == billed
        assert 0 < ended.xcom("better")["quality"]["mean_confidence"] <= 1

    @pytest.mark.process
    def test_each_page_of_a_pdf_is_in_the_text_and_in_the_searchable_pdf(
        self, aspose_ocr_run_dag: Any, tmp_path: Path
    ) -> None:
        pages = [write(blank(900, 400), prose[:3], size=40) for prose in (PROSE, OTHER_PROSE)]
        scan = encoded(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=100)
        (tmp_path / "report.pdf").write_bytes(scan)
        conf = {"scan": f"{tmp_path}/report.pdf", "outbox": f"file://{tmp_path}/out/"}
        assert aspose_ocr_run_dag(EXAMPLES / "searchable_pdf.py", conf=conf).state == "success"
        truth = ["\n".join(prose[:3]) for prose in (PROSE, OTHER_PROSE)]
        assert cer((tmp_path / "out" / "report.txt").read_text(), "\n".join(truth)) < 0.02
        with pypdfium2.PdfDocument(tmp_path / "out" / "report.pdf") as document:
            texts = [page.get_textpage().get_text_bounded() for page in document]
        assert [cer(text, wanted) < 0.02 for text, wanted in zip(texts, truth, strict=True)] == [True, True]

    @pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
    def test_a_longer_page_is_a_longer_sound(self, aspose_ocr_run_dag: Any, tmp_path: Path) -> None:
        seconds = []
        for lines in (1, 4):
            (tmp_path / "page.png").write_bytes(encoded(write(blank(), PROSE[:lines])))
            conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out-{lines}/"}
            ended = aspose_ocr_run_dag(EXAMPLES / "read_aloud.py", conf=conf)
            assert ended.state == "success"
            seconds.append(from_manifest(ended.xcom("fetch"), SPEECH).duration_seconds)
        # Eight words and 33 words: nobody speaks more than ten in a second.
        assert 0.8 < seconds[0] < seconds[1] / 2

    @pytest.mark.skipif(not shutil.which("ddjvu"), reason="needs djvulibre-bin")
    def test_a_djvu_book_is_read_in_one_batch(self, tmp_path: Path, aspose_ocr_run_dag: Any) -> None:
        page = tmp_path / "page.pgm"
        page.write_bytes(encoded(write(blank(900, 400), PROSE[:3], size=40), "PPM"))
        subprocess.run(["c44", "-dpi", "100", page, tmp_path / "book.djvu"], check=True)
        with DAG("djvu") as dag:
            AsposeOcrBatchOperator(
                task_id="read",
                sources=f"file://{tmp_path}/*.djvu",
                steps=["DjVu2PDF", {"operation": "RecognizePdf", "settings": {"language": "English"}}],
                destination=f"file://{tmp_path}/out/",
            )
        assert aspose_ocr_run_dag(dag).state == "success"
        (text,) = (tmp_path / "out").glob("*.txt")
        assert cer(text.read_text(), "\n".join(PROSE[:3])) < 0.05

    def test_regions_are_one_text_in_reading_order(self, aspose_ocr_run_dag: Any, tmp_path: Path) -> None:
        page = write(write(blank(1500, 460), PROSE[:4], x=60, y=80), OTHER_PROSE[:4], x=800, y=80)
        (tmp_path / "page.png").write_bytes(encoded(page))
        conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out/"}
        ended = aspose_ocr_run_dag(EXAMPLES / "reading_order.py", conf=conf)
        assert ended.state == "success"
        text = (tmp_path / "out" / "page.txt").read_text()
        assert cer(text, "\n".join((*PROSE[:4], *OTHER_PROSE[:4]))) < 0.02
