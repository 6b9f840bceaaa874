"""The SDK's chain is given the best case."""

from __future__ import annotations

from airflow_provider_asposeocr.get_provider_info import get_provider_info
from tests.benchmarks.chain_sdk import POLL_SECONDS


def test_the_sdk_polls_at_the_shortest_interval_that_users_of_ours_have_by_default() -> None:
    option = get_provider_info()["config"]["aspose_ocr"]["options"]["poll_interval_seconds"]
    assert float(option["default"]) == POLL_SECONDS
