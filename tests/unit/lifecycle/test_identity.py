from __future__ import annotations

from airflow_provider_asposeocr.lifecycle.identity import digest


def test_settings_that_differ_in_order_are_the_same() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest(object())) == 32
