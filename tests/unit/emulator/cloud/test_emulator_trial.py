from __future__ import annotations

import re
from hashlib import sha256
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.emulator.cloud.trial import mask_hocr, mask_text
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr
from tests.support.emulator_clients import CloudClient, decoded

words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
lines = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=12).map("\n".join)
digests = st.integers().map(str)


@given(text=lines, digest=digests)
def test_a_tenth_of_the_words_is_masked(text: str, digest: str) -> None:
    before, after = text.split(), mask_text(text, digest).split()

    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == len(before) // 10
    assert all(new == "*" * len(old) for old, new in changed)


@given(text=st.text(max_size=300), digest=digests)
def test_layout_and_length_are_kept(text: str, digest: str) -> None:
    masked = mask_text(text, digest)

    assert len(masked) == len(text)
    assert re.sub(r"\S", "x", masked) == re.sub(r"\S", "x", text)


@given(text=lines, digest=digests)
def test_the_same_image_loses_the_same_words(text: str, digest: str) -> None:
    assert mask_text(text, digest) == mask_text(text, digest)


def test_another_image_loses_other_words() -> None:
    text = " ".join(f"word{number}" for number in range(200))

    assert mask_text(text, "a") != mask_text(text, "b")


def test_punctuation_around_a_word_survives() -> None:
    text = " ".join(['"don\'t",'] * 10)

    assert mask_text(text, "x").split().count('"*****",') == 1


def test_123_words_lose_12() -> None:
    """As in the genuine sample."""
    text = " ".join(["word,"] * 123)

    assert mask_text(text, "x").split().count("****,") == 12


def test_hocr_keeps_its_boxes() -> None:
    document = tiny_hocr("one two three four five\nsix seven eight nine ten & <b>").decode()

    masked = mask_hocr(document, "x")

    before, after = (list(ElementTree.fromstring(d).iter()) for d in (document, masked))
    assert [e.attrib for e in before] == [e.attrib for e in after]
    changed = [(b.text, a.text) for b, a in zip(before, after, strict=True) if b.text != a.text]
    assert len(changed) == 1
    assert "*" in str(changed[0][1])


def test_the_trial_needs_no_token_and_masks(scripted: CloudClient) -> None:
    scripted.headers = {}
    text = " ".join(f"word{number}" for number in range(40))
    payload = b"echo:" + text.encode()

    answer = scripted.run("RecognizeImageTrial", payload, settings={})

    masked = mask_text(text, sha256(payload).hexdigest())
    assert decoded(answer) == [("Text", masked.encode())]
    assert masked.count("*") > 0


def test_an_account_gets_the_whole_text(scripted: CloudClient) -> None:
    text = b" ".join([b"word"] * 40)

    assert decoded(scripted.run(image=b"echo:" + text)) == [("Text", text)]


@pytest.mark.parametrize(("choice", "masked"), [("cloud", False), ("otherwise", True)])
def test_whether_the_trial_masks_hocr_is_an_option(
    request: pytest.FixtureRequest, choice: str, masked: bool
) -> None:
    client: CloudClient = request.getfixturevalue(choice)

    results = dict(decoded(client.run("RecognizeImageTrial", settings={"resultType": "TextAndHocr"})))

    assert b"*" in results["Text"]
    assert (b"*" in results["Hocr"]) is masked


def test_a_trial_task_needs_only_its_id(cloud: CloudClient) -> None:
    cloud.headers = {}
    task_id = cloud.submit("RecognizeImageTrial")
    cloud.wait(task_id)

    assert cloud.status(task_id)["taskStatus"] == "Completed"
    assert cloud.login("other", "secret").status(task_id)["taskStatus"] == "Completed"
    cloud.headers = {}
    assert cloud.cancel(task_id, "RecognizeImageTrial").status_code == 200
    assert cloud.fetch(task_id, "RecognizeImageTrial")["taskStatus"] == "NotExist"


def test_who_may_ask_for_a_status_is_an_option(otherwise: CloudClient) -> None:
    mine, trial = otherwise.submit(settings={}), otherwise.submit("RecognizeImageTrial", settings={})
    otherwise.headers = {}

    assert otherwise.status(mine)["taskStatus"] != "NotExist"
    path = f"Utilities/GetTaskStatus?id={trial}"
    assert otherwise.call("GET", path).status_code == 401
    assert otherwise.login().call("GET", path).status_code == 200


def test_a_wrong_token_is_refused_where_none_is_needed(otherwise: CloudClient) -> None:
    mine = otherwise.submit(settings={})
    otherwise.headers = {"Authorization": "Bearer x.y.z"}

    assert otherwise.call("GET", "Utilities/GetTaskStatus", params={"id": mine}).status_code == 401
