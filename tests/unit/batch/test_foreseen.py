"""Results that the settings do not promise: where they may be written."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.api.errors import DestinationError
from airflow_provider_asposeocr.batch.foreseen import Foreseen
from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument
from airflow_provider_asposeocr.batch.steps import Step


def foreseen(destination: str = "/out/", **settings: object) -> Foreseen:
    """Return what is foreseen of three documents, as names="stem" names them."""
    operation = "RecognizeRegions" if "regions" in settings else "RecognizeImage"
    stems = ("page", "page-1", "sub/page")
    return Foreseen(
        Batch(
            key="0123456789abcdef",
            conn_id="ocr",
            destination=destination,
            steps=(Step("BinarizeImage"), Step(operation, {"resultType": "Text", **settings})),
            documents=tuple(
                BatchDocument(index, f"/in/{stem}.png", None, stem) for index, stem in enumerate(stems)
            ),
        )
    )


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (0, ["page.txt"]),
        (0, ["page.txt", "page.pdf"]),
        (0, ["page-2.txt", "page-3.txt"]),
        (1, ["page-1-1.txt", "page-1-2.txt"]),
        (2, ["sub/page-1.txt"]),
    ],
)
def test_they_may_be_where_nothing_else_is(index: int, names: list[str]) -> None:
    foreseen().check(index, names)


def test_those_that_the_settings_do_not_promise_are_named() -> None:
    assert foreseen().check(0, ["page.txt", "page-2.txt", "page.pdf"]) == ["page-2.txt", "page.pdf"]


def test_not_over_another_document_s_result() -> None:
    with pytest.raises(
        DestinationError, match="/out/page-1.txt, would be written over a result of"
    ) as refused:
        foreseen().check(0, ["page-1.txt", "page-2.txt"])
    assert "'/in/page-1.png'" in str(refused.value)
    assert refused.value.billed == "already"


def test_not_over_a_source() -> None:
    with pytest.raises(DestinationError, match="over the source '/in/page.png'"):
        foreseen("/in/").check(0, ["page.png"])


def test_not_over_a_numbered_result_of_another_document() -> None:
    with pytest.raises(DestinationError, match="a result of '/in/page-1.png'"):
        foreseen(regions=[{}, {}]).check(0, ["page-1-2.txt"])
