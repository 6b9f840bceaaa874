"""
Connections: any fields and extras make an account, or an error that names the connection and shows no password.
"""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import Connection
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.base_url import base_url_of, masked
from airflow_provider_asposeocr.api.enums import LANGUAGES
from airflow_provider_asposeocr.api.errors import InvalidConnectionError
from airflow_provider_asposeocr.api.languages import suggest_languages
from airflow_provider_asposeocr.connection import account_of, unknown_extras
from tests.support.hostile import JSON_LEAVES, NAMES, TEXTS, objects
from tests.support.tried import holds_for

PASSWORD = "Hunter2Hunter2"
URLS = st.sampled_from(
    [
        "https://api.aspose.cloud", "http://[::1]:8080/x", "::1", "fe80::1%eth0", "[", "http://[", "http://h:99999",
        f"https://me:{PASSWORD}@h", f"https://me:/{PASSWORD}?@h", f"me:{PASSWORD}#@h", f"ftp://me:{PASSWORD}@h/p?q=1",
        f"http://a:{PASSWORD}@b:c@d", f"https://{PASSWORD}:@h:0", f"//me:{PASSWORD}@[::1", "http://h/v5.0/ocr/", "x://",
    ]
)  # fmt: skip
EXTRAS = objects(
    {
        "evaluation_mode": st.booleans() | st.sampled_from(["true", "no", "perhaps"]),
        "request_timeout_seconds": st.integers(),
        "connect_timeout_seconds": st.floats(),
        "max_requests_per_second": st.text(max_size=5),
        "max_connections": st.integers(),
        "ca_bundle": NAMES,
        "proxy": URLS,
        "token_url": URLS | NAMES,
    }
)
EXTRA_TEXTS = EXTRAS.map(json.dumps) | NAMES | JSON_LEAVES.map(json.dumps)


@holds_for(host=URLS | NAMES, schema=st.none() | NAMES, port=st.none() | st.integers(), extra=EXTRA_TEXTS)
def test_a_connection_is_an_account_or_is_refused_by_name(
    host: str, schema: str | None, port: int | None, extra: str
) -> None:
    conn = Connection(
        conn_id="c", conn_type="aspose_ocr", host=host, schema=schema, port=port, login="i", password="pp-pp"
    )
    conn.extra = extra
    said = unknown_extras(conn)
    try:
        account = account_of(conn)
    except InvalidConnectionError as error:
        said += str(error)
    else:
        assert isinstance(account, Account)
        # What was put together is put together to the same.
        assert base_url_of(account.base_url) == account.base_url
        assert PASSWORD not in account.base_url + (account.token_url or "")
    assert PASSWORD not in said
    assert said.isprintable()


@holds_for(url=URLS | NAMES, user=TEXTS)
def test_a_url_fit_to_be_shown_has_no_user_and_is_short(url: str, user: str) -> None:
    for each in (url, f"https://{user}:{PASSWORD}@h/{url}", f"{user}:{PASSWORD}@{url}"):
        shown = masked(each)
        assert PASSWORD not in shown
        assert shown.isprintable()
        assert len(shown) <= 200


@holds_for(word=NAMES)
def test_a_suggested_language_is_one_of_the_cloud_s(word: str) -> None:
    found: list[Any] = suggest_languages(word)
    assert set(found) <= set(LANGUAGES)
