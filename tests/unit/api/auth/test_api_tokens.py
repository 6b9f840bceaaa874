from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.auth.tokens import (
    MARGIN_SECONDS,
    USUAL_SECONDS,
    Token,
    TokenSlot,
    parse_token,
)
from airflow_provider_asposeocr.api.errors import UnexpectedResponseError
from airflow_provider_asposeocr.api.http.pacing import (
    LONGEST_PAUSE_SECONDS,
    USUAL_PAUSE_SECONDS,
    Pacer,
    Pause,
)

NOW = 1_800_000_000.0


def answer(**fields: Any) -> bytes:
    return json.dumps({"access_token": "eyJ.x.y", "token_type": "Bearer", **fields}).encode()


class TestParseToken:
    @pytest.mark.parametrize(
        ("fields", "used_for"),
        [
            ({"expires_in": 3600}, 3480),
            ({"expires_in": "3600"}, 3480),
            ({"expires_in": 3600.5}, 3480.5),
            ({"expires_in": 240}, 120),
            ({"expires_in": 100}, 50),
            ({"expires_in": 1}, 0.5),
            ({}, USUAL_SECONDS - MARGIN_SECONDS),
            ({"expires_in": None}, 3480),
            ({"expires_in": 0}, 3480),
            ({"expires_in": -5}, 3480),
            ({"expires_in": "soon"}, 3480),
            ({"expires_in": []}, 3480),
            ({"expires_in": {}}, 3480),
            ({"expires_in": float("nan")}, 3480),
            ({"expires_in": float("inf")}, 3480),
            ({"expires_in": 10**400}, 3480),
        ],
    )
    def test_a_token_is_renewed_before_it_expires(self, fields: dict[str, Any], used_for: float) -> None:
        assert parse_token(answer(**fields), NOW) == Token("eyJ.x.y", NOW + used_for)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'"eyJ.x.y"',
            b"{}",
            b"<html>eyJ.x.y</html>",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"access_token": null}',
            b'{"access_token": ""}',
            b'{"access_token": " "}',
            b'{"access_token": 7}',
            b'{"access_token": ["eyJ.x.y"]}',
            b'{"access_token": "eyJ.x.y\\r\\nX-Injected: 1"}',
            '{"access_token": "eyJ.x.yä"}'.encode(),
        ],
    )
    def test_what_is_no_token_is_refused_and_not_quoted(self, body: bytes) -> None:
        with pytest.raises(UnexpectedResponseError) as caught:
            parse_token(body, NOW)
        assert "eyJ" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"

    @given(st.binary(max_size=100))
    def test_nothing_but_the_named_error_comes_out(self, body: bytes) -> None:
        with pytest.raises(UnexpectedResponseError):
            parse_token(body, NOW)

    def test_a_token_does_not_show(self) -> None:
        assert "eyJ" not in repr(parse_token(answer(), NOW))


class TestTokenSlot:
    def test_nothing_is_usable_before_the_first(self) -> None:
        assert TokenSlot().usable(NOW) is None

    @pytest.mark.parametrize(
        ("now", "refused", "usable"),
        [
            (0, None, True),
            (99.9, None, True),
            (100, None, False),
            (0, "old", True),  # another caller has renewed it already
            (0, "new", False),
            (100, "old", False),
        ],
    )
    def test_a_token_is_used_until_it_is_due_or_refused(
        self, now: float, refused: str | None, usable: bool
    ) -> None:
        slot, token = TokenSlot(), Token("new", NOW + 100)
        slot.store(token)
        assert slot.usable(NOW + now, refused) == (token if usable else None)


class TestPacer:
    @given(
        st.floats(0.1, 1000),
        st.lists(st.floats(0, 10), min_size=2, max_size=30),
    )
    def test_no_two_requests_are_nearer_than_the_gap(self, per_second: float, gaps: list[float]) -> None:
        pacer, now, moments = Pacer(per_second), 0.0, []
        for gap in gaps:
            now += gap
            wait = pacer.reserve(now)
            assert wait >= 0
            moments.append(now + wait)
        distances = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
        assert min(distances) >= 1 / per_second - 1e-6

    def test_an_idle_account_waits_for_nothing(self) -> None:
        pacer = Pacer(2)
        assert [pacer.reserve(NOW), pacer.reserve(NOW), pacer.reserve(NOW)] == [0, 0.5, 1.0]
        assert pacer.reserve(NOW + 100) == 0


class TestPause:
    @pytest.mark.parametrize(
        ("asked", "pause"),
        [(7.0, 7.0), (0.0, 0.0), (None, USUAL_PAUSE_SECONDS), (1e9, LONGEST_PAUSE_SECONDS)],
    )
    def test_lasts_as_long_as_the_cloud_asks(self, asked: float | None, pause: float) -> None:
        paused = Pause()
        assert paused.held_seconds(NOW) == 0
        paused.begin(NOW, asked)
        assert paused.held_seconds(NOW) == pause
        assert paused.held_seconds(NOW + pause) == 0

    def test_a_shorter_pause_does_not_end_a_longer_one(self) -> None:
        paused = Pause()
        paused.begin(NOW, 60)
        paused.begin(NOW, 1)
        assert paused.held_seconds(NOW) == 60
