"""A person corrects an invoice in Airflow's UI: the example, with a file in the place of PostgreSQL's table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.environments import oldest_python
from tests.support.reviewed_invoices import AskedAbout, asked_about, told
from tests.support.viewer_browser import keep_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.airflow


@pytest.fixture(params=["newest", "oldest"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskedAbout]:
    python = oldest_python() if request.param == "oldest" else sys.executable
    with asked_about(tmp_path_factory.mktemp("review"), python) as found:
        yield found


def test_what_a_person_types_in_the_ui_is_in_the_table(
    asked: AskedAbout, page: Page, request: pytest.FixtureRequest
) -> None:
    assert asked.rows().keys() == {"right.png"}
    page.goto(asked.airflow.base_url)
    page.wait_for_load_state("networkidle")  # Airflow logs the browser in, and leads it back here.
    page.goto(f"{asked.airflow.base_url}/required_actions")
    page.get_by_role("link", name="An invoice does not fit").click()

    page.locator("li", has_text="total_amount").wait_for()
    shown = told("\n".join(" ".join(line.split()) for line in page.locator("li:has(code)").all_inner_texts()))
    assert shown.pop("problem") == "1000.0 and a VAT of 190.0 are not 1790.0."
    assert shown.pop("source").endswith("/wrong.png")
    assert shown == asked.as_read()
    page.locator("[name=element_total_amount]").fill("1190.5")
    page.locator("[name=element_vat]").fill("190.5")
    keep_picture(page, f"review-{request.node.callspec.params['asked']}")
    page.get_by_role("button", name="Correct", exact=True).click()

    assert asked.wait_for_end() == "success"
    row = asked.rows()["wrong.png"]
    assert row.pop("source").endswith("/wrong.png")
    assert row == {**asked.as_read(), "vat": "190.5", "total_amount": "1190.5"}
