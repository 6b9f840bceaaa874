"""What the viewer sends of which file: nothing that is not what the manifest says."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.viewer import answers, verified
from airflow_provider_asposeocr.viewer.delivery import disposition
from airflow_provider_asposeocr.viewer.kinds import MOST_TEXT_BYTES, kind_of
from airflow_provider_asposeocr.viewer.verified import is_allowed
from tests.support.object_stores import Store, attached

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

TEXT = b"Wei\xc3\x9fe Schrift, 42 words"


def test_a_result_is_sent_as_it_was_stored(world: ViewerWorld) -> None:
    world.fetched(world.result("page.txt", TEXT))
    answer = world.file()
    assert answer.status_code == 200
    assert answer.content == TEXT
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["etag"] == f'"{hashlib.sha256(TEXT).hexdigest()}"'
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''page.txt"


class TestAttacks:
    """A user writes an XCom, and another user opens the viewer."""

    @pytest.mark.parametrize("size", [None, 10])
    def test_a_file_of_the_api_server_is_not_sent(self, world: ViewerWorld, size: int | None) -> None:
        secret = Path("/etc/passwd")
        world.fetched(
            {"type": "Text", "uri": str(secret), "bytes": size or secret.stat().st_size, "sha256": "0" * 64}
        )
        answer = world.file()
        assert answer.status_code == 409
        assert answer.json() == {"detail": answers.NOT_VERIFIED}

    def test_a_source_without_a_size_is_verified_too(self, world: ViewerWorld) -> None:
        world.fetched(source="/etc/passwd", sha256="0" * 64)
        assert world.file(address="0/source/0").status_code == 409

    def test_a_picture_of_a_page_is_verified_too(self, world: ViewerWorld) -> None:
        picture = {**world.stored("page.webp", b"webp"), "sha256": "0" * 64}
        page = {"number": 1, "width": 1, "height": 1, "image": picture, "thumbnail": picture}
        world.fetched(pages=[page])
        assert world.file(address="0/pages/0").status_code == 409
        assert world.file(address="0/thumbnails/0").status_code == 409

    def test_a_file_that_is_missing_gets_the_same_answer_as_one_that_differs(
        self, world: ViewerWorld
    ) -> None:
        world.fetched({"type": "Text", "uri": "/no/such/file", "bytes": 3, "sha256": "0" * 64})
        answer = world.file()
        assert (answer.status_code, answer.json()["detail"]) == (409, answers.NOT_VERIFIED)

    @pytest.mark.parametrize(
        "uri",
        [
            "s3://no_such_connection@bucket/page.txt",
            "http://127.0.0.1:9/page.txt",
            "relative/page.txt",
            "file://host/page.txt",
            "",
            "\x00",
            "memory://bucket/page.txt",
            "/proc/self/environ",
            "/etc",
        ],
    )
    def test_another_place_gets_the_same_answer(self, world: ViewerWorld, uri: str) -> None:
        world.fetched({"type": "Text", "uri": uri, "bytes": 3, "sha256": "0" * 64})
        answer = world.file()
        assert (answer.status_code, answer.json()["detail"]) == (409, answers.NOT_VERIFIED)

    def test_a_pipe_is_not_opened(self, world: ViewerWorld) -> None:
        """Reading one would never end."""
        pipe = world.folder / "pipe.txt"
        world.folder.mkdir()
        os.mkfifo(pipe)
        empty = hashlib.sha256(b"").hexdigest()
        world.fetched({"type": "Text", "uri": str(pipe), "bytes": 0, "sha256": empty})
        assert world.file().status_code == 409

    def test_a_result_that_was_overwritten_at_equal_size_is_not_sent(self, world: ViewerWorld) -> None:
        result = world.result("page.txt", TEXT)
        world.fetched(result)
        assert world.file().status_code == 200
        Path(result["uri"]).write_bytes(TEXT.swapcase())
        assert world.file().status_code == 409
        assert world.file(Range="bytes=0-3").status_code == 409

    @pytest.mark.parametrize(
        "address",
        ["0/results/1", "1/results/0", "0/results/-1", "-1/results/0", "0/results/..%2f..", "0/secrets/0",
         "0/results/0/..", "0/results/99999999999999999999"],
    )  # fmt: skip
    def test_an_address_names_no_path(self, world: ViewerWorld, address: str) -> None:
        world.fetched(world.result("page.txt", TEXT))
        answer = world.file(address=address)
        # No such file, or no number that a file may have.
        assert answer.status_code in (404, 422)
        assert TEXT not in answer.content


class TestHeaders:
    def test_no_file_can_run_as_a_page_of_airflow(self, world: ViewerWorld) -> None:
        for number, name in enumerate(("evil.hocr", "evil.html", "evil.svg", "evil.json", "evil.xhtml")):
            world.fetched(world.result(name, b"<script>alert(1)</script>"), task_id=f"fetch{number}")
            headers = world.file(f"fetch{number}").headers
            is_text = headers["content-type"] == "text/plain; charset=utf-8"
            assert is_text or headers["content-disposition"].startswith("attachment")
            assert "html" not in headers["content-type"]
            assert headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in headers["content-security-policy"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cache-control"] == "private, no-cache"

    @pytest.mark.parametrize(
        "name", ["page.pdf", "sheet.xlsx", "speech.wav", "page.svg", "page.unknown", "page"]
    )
    def test_what_the_page_does_not_show_is_saved(self, world: ViewerWorld, name: str) -> None:
        world.fetched(world.result(name, b"content"))
        assert world.file().headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"

    def test_a_name_cannot_end_the_header(self) -> None:
        said = disposition('/out/a"; x=\r\ny: z.pdf', kind_of("z.pdf"))
        name = said.partition("''")[2]
        assert re.fullmatch(r"[\w.~%-]+", name, re.ASCII)

    def test_airflow_does_not_compress_a_file(self, world: ViewerWorld) -> None:
        """Compressed, one strong ETag would name two representations, and a large PDF would cost seconds of CPU."""
        world.fetched(world.result("page.pdf", b"x" * 10_000))
        from starlette.middleware.gzip import GZipMiddleware
        from starlette.testclient import TestClient

        client = TestClient(GZipMiddleware(world.client.app))
        world.client = client
        answer = world.file(**{"Accept-Encoding": "gzip"})
        assert answer.headers["content-length"] == "10000"
        assert answer.headers["content-encoding"] == "identity"


class TestCompression:
    """The viewer compresses texts itself: hOCR is the largest part of a page after its picture."""

    WORDS = b"<span class='ocrx_word' title='bbox 1 2 3 4'>word</span> " * 500

    def test_a_text_is_compressed_for_those_who_accept_it(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.hocr", self.WORDS, "Hocr"))
        answer = world.file(**{"Accept-Encoding": "br, gzip"})
        assert answer.content == self.WORDS
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers["content-length"]) < len(self.WORDS) / 5
        assert answer.headers["vary"] == "Accept-Encoding"
        # A strong tag would name two representations.
        etag = answer.headers["etag"]
        assert etag == f'W/"{hashlib.sha256(self.WORDS).hexdigest()}"'
        again = world.file(**{"Accept-Encoding": "gzip", "If-None-Match": etag})
        assert (again.status_code, again.headers["etag"]) == (304, etag)

    @pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br, deflate", "*"])
    def test_for_others_it_is_not(self, world: ViewerWorld, accepted: str) -> None:
        world.fetched(world.result("page.hocr", self.WORDS, "Hocr"))
        answer = world.file(**{"Accept-Encoding": accepted})
        assert (answer.headers["content-encoding"], answer.content) == ("identity", self.WORDS)
        assert answer.headers["etag"] == f'"{hashlib.sha256(self.WORDS).hexdigest()}"'
        assert answer.headers["vary"] == "Accept-Encoding"

    def test_a_part_of_a_text_is_a_part_of_the_file(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.hocr", self.WORDS, "Hocr"))
        answer = world.file(Range="bytes=0-9", **{"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.content) == (206, self.WORDS[:10])
        assert answer.headers["content-encoding"] == "identity"

    def test_what_is_not_verified_is_not_compressed_either(self, world: ViewerWorld) -> None:
        world.fetched({**world.result("page.hocr", self.WORDS, "Hocr"), "sha256": "0" * 64})
        assert world.file(**{"Accept-Encoding": "gzip"}).status_code == 409


class TestCaching:
    def test_what_a_browser_has_costs_no_look_at_the_storage(self, world: ViewerWorld) -> None:
        result = world.result("page.txt", TEXT)
        world.fetched(result)
        etag = world.file().headers["etag"]
        Path(result["uri"]).unlink()
        answer = world.file(**{"If-None-Match": f'"other", {etag}'})
        assert (answer.status_code, answer.content) == (304, b"")
        assert world.file(**{"If-None-Match": '"other"'}).status_code == 409
        assert world.file(**{"If-None-Match": "*"}).status_code == 409

    def test_a_result_without_a_checksum_is_never_confirmed(self, world: ViewerWorld) -> None:
        world.fetched({**world.result("page.txt", TEXT), "sha256": None})
        answer = world.file(**{"If-None-Match": '""'})
        assert (answer.status_code, answer.json()["detail"]) == (409, answers.NO_CHECKSUM)

    def test_a_right_is_asked_for_before_a_confirmation(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.txt", TEXT))
        etag = world.file().headers["etag"]
        for token in (None, "without-xcoms"):
            assert world.file(token=token, **{"If-None-Match": etag}).status_code in (401, 403)


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "content", "said"),
        [
            ("bytes=0-3", TEXT[:4], f"bytes 0-3/{len(TEXT)}"),
            ("bytes=5-", TEXT[5:], f"bytes 5-{len(TEXT) - 1}/{len(TEXT)}"),
            ("bytes=-5", TEXT[-5:], f"bytes {len(TEXT) - 5}-{len(TEXT) - 1}/{len(TEXT)}"),
        ],
    )
    def test_a_part(self, world: ViewerWorld, asked: str, content: bytes, said: str) -> None:
        world.fetched(world.result("page.txt", TEXT))
        answer = world.file(Range=asked)
        assert (answer.status_code, answer.content) == (206, content)
        assert answer.headers["content-range"] == said

    def test_a_part_behind_the_end(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.txt", TEXT))
        answer = world.file(Range="bytes=1000-")
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["content-range"] == f"bytes */{len(TEXT)}"

    def test_a_part_of_another_version_is_the_whole_file(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.txt", TEXT))
        assert world.file(Range="bytes=0-3", **{"If-Range": '"older"'}).content == TEXT


class TestBounds:
    def test_a_large_text_is_not_sent(self, world: ViewerWorld) -> None:
        world.fetched(world.result("page.txt", b"x" * (MOST_TEXT_BYTES + 1)))
        answer = world.file()
        assert (answer.status_code, answer.json()["detail"]) == (413, answers.TOO_LARGE)

    @pytest.mark.parametrize(
        ("name", "most_bytes"),
        [
            ("page.png", 33_554_432),
            ("page.webp", 33_554_432),
            ("page.txt", 2_097_152),
            ("page.hocr", 2_097_152),
            ("page.json", 2_097_152),
            ("page.pdf", 268_435_456),
            ("page.xlsx", 268_435_456),
        ],
    )
    def test_each_kind_has_its_limit(self, world: ViewerWorld, name: str, most_bytes: int) -> None:
        """One byte more is refused as too large; of a file within the limit it is noticed that it does not exist."""
        for size, said in ((most_bytes + 1, answers.TOO_LARGE), (most_bytes, answers.NOT_VERIFIED)):
            task_id = f"fetch{size}"
            result = {"type": "Text", "uri": f"/no/such/{name}", "bytes": size, "sha256": "0" * 64}
            world.fetched(result, task_id=task_id)
            assert world.file(task_id).json()["detail"] == said

    def test_a_manifest_cannot_make_a_large_file_small(self, world: ViewerWorld) -> None:
        world.fetched({**world.result("page.txt", b"x" * (MOST_TEXT_BYTES + 1)), "bytes": 5})
        assert world.file().status_code == 409

    def test_a_file_whose_size_the_manifest_does_not_say_has_the_same_limit(
        self, world: ViewerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A source may have no size. What is too large is not even read."""
        source = world.stored("page.txt", b"x" * (MOST_TEXT_BYTES + 1))
        world.fetched(source=source["uri"], sha256=source["sha256"], bytes=None)
        monkeypatch.setattr(verified, "_copy", None)
        answer = world.file(address="0/source/0")
        assert (answer.status_code, answer.json()["detail"]) == (409, answers.NOT_VERIFIED)

    def test_a_file_of_another_size_is_not_even_read(
        self, world: ViewerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.fetched({**world.result("page.pdf", b"x" * 1000), "bytes": 999})
        monkeypatch.setattr(verified, "_copy", None)
        assert world.file().status_code == 409

    def test_a_file_that_grows_while_it_is_read_is_read_no_further(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Growing(Store):
            def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
                return {"name": path, "type": "file", "size": 3}

        store = attached("memory", "growing", kind=Growing)
        store.pipe_file("/bucket/page.txt", b"x" * 1000)
        claim = verified.Claim("memory://growing@bucket/page.txt", hashlib.sha256(b"xxx").hexdigest(), 3)
        with pytest.raises(answers.RefusedError):
            verified.open_verified(claim, 10)

    def test_a_storage_that_does_not_answer(self, world: ViewerWorld) -> None:
        store = attached("memory", "dead")
        store.pipe_file("/bucket/page.txt", TEXT)
        store.fails = "open"
        checksum = hashlib.sha256(TEXT).hexdigest()
        uri = "memory://dead@bucket/page.txt"
        world.fetched({"type": "Text", "uri": uri, "bytes": len(TEXT), "sha256": checksum})
        answer = world.file()
        assert answer.status_code == 502
        assert answer.json() == {"detail": answers.STORAGE_FAILED}
        assert "fire" not in answer.text


@pytest.mark.parametrize(
    ("uri", "roots", "allowed"),
    [
        ("/anywhere/page.png", "", True),
        ("/anywhere/page.png", " , \n", True),
        ("/data/out/page.png", "/data/out", True),
        ("/data/out/page.png", "/data/out/", True),
        ("file:///data/out/page.png", "/data/out/", True),
        ("/data/out/page.png", "file:///data/out/", True),
        ("/data/out/page.png", "s3://a@b/, /data/out/", True),
        ("/data/out/page.png", "s3://a@b/\n/data/out/", True),
        ("/data//out/page.png", "/data/out/", True),
        ("/data/outside/page.png", "/data/out/", False),
        ("/data/out/../secret/page.png", "/data/out/", False),
        ("file:///data/out/../secret/page.png", "/data/out/", False),
        ("/data/out", "/data/out/", False),
        ("s3://results@bucket/out/page.png", "s3://results@bucket/out/", True),
        ("s3://results@bucket/out/page.png", "s3://results@bucket/", True),
        ("s3://results@bucket2/out/page.png", "s3://results@bucket/", False),
        ("s3://other@bucket/out/page.png", "s3://results@bucket/", False),
        ("s3://other@bucket/out/page.png", "s3://bucket/", False),
        ("s3://results@bucket/out/../page.png", "s3://results@bucket/out/", False),
    ],
)
def test_an_administrator_can_name_the_folders(uri: str, roots: str, allowed: bool) -> None:
    assert is_allowed(uri, roots) is allowed


def test_a_file_elsewhere_gets_the_one_answer(world: ViewerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fetched(world.result("page.txt", TEXT))
    monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__PREVIEW_ROOTS", "/another/folder/")
    answer = world.file()
    assert (answer.status_code, answer.json()["detail"]) == (409, answers.NOT_VERIFIED)
    monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__PREVIEW_ROOTS", f"{world.folder}/")
    assert world.file().status_code == 200
