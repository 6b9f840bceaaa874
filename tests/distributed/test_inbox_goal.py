"""
An inbox in S3, of which some files have equal content: each content is billed once, each file is settled by one row after at
most two runs, and the run after that costs no more than to look.

``INBOX_FILES`` is the number of files, of which a tenth has the same content; ``INBOX_BATCH_DOCUMENTS`` the size of a batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text, tiny_png
from tests.distributed.inbox_audit import SETTLED, name_of
from tests.distributed.inbox_place import BATCH_DOCUMENTS, FAR_BUCKET
from tests.distributed.patience import wait_until

if TYPE_CHECKING:
    from tests.distributed.installation import Installation

pytestmark = pytest.mark.airflow

DAG_ID = "inbox_far"
FILES = int(os.environ.get("INBOX_FILES", "60"))
EQUAL = FILES // 10
RUN_SECONDS = 900.0
PAGE_KEYS = 1000
#: What a plan may read: how many files were read before.
INDEX = ("out/.aspose-ocr/index/", "out/.aspose-ocr/manifests/")


def rows(installation: Installation) -> list[dict[str, Any]]:
    """The rows of all manifests."""
    keys = installation.s3.keys_in(FAR_BUCKET, INDEX[1])
    return [json.loads(line) for key in keys for line in installation.s3.read(key, FAR_BUCKET).splitlines()]


def kinds(requests: list[str]) -> Counter[str]:
    """Count requests by what they are for: a listing or a read, of the inbox or of the index; the others in full."""
    found: Counter[str] = Counter()
    for request in requests:
        method, _, address = request.partition(" ")
        parts = urlsplit(address)
        key = unquote(parts.path).removeprefix(f"/{FAR_BUCKET}").removeprefix("/")
        prefix = parse_qs(parts.query).get("prefix", [""])[0]
        if method == "GET" and not key and prefix.startswith("in/"):
            found["listing of the inbox"] += 1
        elif method == "GET" and not key and prefix.startswith(INDEX):
            found["listing of the index"] += 1
        elif method == "GET" and key.startswith(INDEX):
            found["read of the index"] += 1
        else:
            found[request] += 1
    return found


def run(installation: Installation) -> str:
    """Run the DAG once; returns the state of the run."""
    installation.rest.wait_for_dag(DAG_ID, RUN_SECONDS)
    run_id = installation.rest.start(DAG_ID)
    return installation.rest.wait_for_run(DAG_ID, run_id, RUN_SECONDS)


def test_a_content_is_billed_once_and_a_run_that_finds_nothing_new_only_looks(
    installation: Installation,
) -> None:
    s3 = installation.s3
    s3.delete(FAR_BUCKET)
    texts: dict[str, str] = {}
    for number in range(FILES):
        # Spread over the batches, each of which takes the oldest files that are left.
        content = 0 if number % 10 == 0 else number
        picture = tiny_png(f"goal {content}")
        name = f"document-{number:04}.png"
        s3.put(FAR_BUCKET, f"in/{name}", picture)
        texts[name] = canned_text(hashlib.sha256(picture).hexdigest())
    contents = FILES - EQUAL + 1
    assert len(set(texts.values())) == contents

    runs = 0
    settled: Counter[str] = Counter()
    while settled.keys() != texts.keys() and runs < 2:
        begun = time.monotonic()
        assert run(installation) == "success"
        runs += 1
        settled = Counter(name_of(row) for row in rows(installation) if row["outcome"] in SETTLED)
        print(f"run {runs}: {len(settled)} of {FILES} files settled after {time.monotonic() - begun:.0f} s")
    assert settled == Counter(texts.keys())
    assert sum(installation.cloud.billing().values()) == contents
    for row in rows(installation):
        if row["outcome"] in SETTLED:
            digest = hashlib.sha256(texts[name_of(row)].encode()).hexdigest()
            assert [result["sha256"] for result in row["results"]] == [digest]
    written = s3.keys_in(FAR_BUCKET, "out/document-")
    assert len(written) == contents
    manifests = len(s3.keys_in(FAR_BUCKET, INDEX[1]))
    assert manifests >= FILES // BATCH_DOCUMENTS

    before, keys = len(s3.requests(FAR_BUCKET)), s3.keys_in(FAR_BUCKET, "")
    looked = len(s3.requests(FAR_BUCKET))
    assert looked > before, "the server's log has no requests"
    billed = installation.cloud.journal()[-1]["n"]
    begun = time.monotonic()
    assert run(installation) == "success"
    seconds = time.monotonic() - begun
    # The server logs a request after its answer.
    wait_until(lambda: len(s3.requests(FAR_BUCKET)) > looked)
    found = kinds(s3.requests(FAR_BUCKET)[looked:])
    print(f"a run that finds nothing new: {seconds:.0f} s, {dict(found)}; {manifests} manifests")
    pages = -(-FILES // PAGE_KEYS)
    assert found.keys() <= {"listing of the inbox", "listing of the index", "read of the index"}
    assert found["listing of the inbox"] == pages
    assert found["read of the index"] <= manifests + 1
    assert s3.keys_in(FAR_BUCKET, "") == keys
    assert installation.cloud.journal(billed) == []
