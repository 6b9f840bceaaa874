from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.base_url import base_url_of, masked, place_of, proxy_problem, url_problem
from airflow_provider_asposeocr.api.errors import InvalidConnectionError
from airflow_provider_asposeocr.api.operations import OPERATIONS

CLOUD = "https://api.aspose.cloud"


@pytest.mark.parametrize(
    ("host", "scheme", "port", "url"),
    [
        (None, None, None, CLOUD),
        ("", "http", None, CLOUD),
        (None, None, 443, CLOUD),
        (None, None, 0, CLOUD),
        ("ocr.example", None, 443, "https://ocr.example"),
        ("ocr.example", "http", 80, "http://ocr.example"),
        ("ocr.example", "http", 443, "http://ocr.example:443"),
        ("http://ocr.example:8080", None, 8080, "http://ocr.example:8080"),
        ("ocr.example:8080", None, None, "https://ocr.example:8080"),
        # R9: Airflow takes the brackets off when it reads a URI.
        ("::1", None, None, "https://[::1]"),
        ("::1", "http", 8080, "http://[::1]:8080"),
        ("[::1]", None, 8080, "https://[::1]:8080"),
        ("http://[2001:db8::1]", None, 8080, "http://[2001:db8::1]:8080"),
        ("http://[::1]:8080", None, None, "http://[::1]:8080"),
        # R10: the port belongs to the host, not to the path.
        ("http://ocr.example/aspose", None, 33203, "http://ocr.example:33203/aspose"),
        ("ocr.example/aspose/", "http", 33203, "http://ocr.example:33203/aspose"),
        # Copied from the vendor's docs.
        (f"{CLOUD}/v5.0", None, None, CLOUD),
        (f"{CLOUD}/v5.0/", None, 443, CLOUD),
        (f"{CLOUD}/V5.0/OCR", None, None, CLOUD),
        (f"{CLOUD}/connect/token", None, None, CLOUD),
        (f"{CLOUD}/v5.0/ocr/Utilities/GetTaskStatus", None, None, CLOUD),
        (
            "http://gateway.example/aspose/v5.0/ocr/RecognizeImage",
            None,
            None,
            "http://gateway.example/aspose",
        ),
        *((f"{CLOUD}{operation.path}", None, None, CLOUD) for operation in OPERATIONS.values()),
        # What is not the API's path stays.
        (f"{CLOUD}/v4.0", None, None, f"{CLOUD}/v4.0"),
    ],
)
def test_a_base_url_is_put_together_from_its_parts(
    host: str | None, scheme: str | None, port: int | None, url: str
) -> None:
    assert base_url_of(host, scheme, port) == url


@pytest.mark.parametrize(
    ("host", "scheme", "port", "said"),
    [
        ("ocr.example:8080", None, 80, "names port 8080 and the field Port says 80"),
        ("ocr.example", None, 70000, "Port 70000 does not exist"),
        ("ocr.example", None, -1, "Port -1 does not exist"),
        ("ocr.example:70000", None, None, "is not an http or https URL"),
        ("ocr.example", "ftp", None, "'ftp://ocr.example' is not an http or https URL"),
        ("ocr example", None, None, "is not an http or https URL"),
        ("ocr.example/a b", None, None, "is not an http or https URL"),
        ("https://ocr.exa\nmple", None, None, "is not an http or https URL"),
        ("http://", None, None, "is not an http or https URL"),
        ("http://[::1", None, None, "is not an http or https URL"),
        (f"{CLOUD}?key=hunter2", None, None, "must end before '?' and '#'"),
        (f"{CLOUD}#hunter2", None, None, "must end before '?' and '#'"),
        (
            "https://me:hunter2@ocr.example",
            None,
            None,
            "'https://***@ocr.example' contains a user or a password",
        ),
        ("me:hunter2@ocr.example", None, None, "contains a user or a password"),
        ("https://me@ocr.example", None, None, "contains a user or a password"),
        # A password with a slash at its beginning: the host would be the user.
        ("https://me:/hunter2@ocr.example", None, None, "contains a user or a password"),
        (
            "ftp://me:hunter2@ocr.example",
            None,
            None,
            "'ftp://***@ocr.example' is not an http or https URL",
        ),
        # Not encoded, so that it is no URL any more.
        ("https://me:hunt/er2@ocr.example", None, None, "not an http or https URL"),
    ],
)
def test_what_is_no_base_url_is_refused(host: str, scheme: str | None, port: int | None, said: str) -> None:
    with pytest.raises(InvalidConnectionError) as caught:
        base_url_of(host, scheme, port)
    assert said in caught.value.message
    assert "er2" not in caught.value.message


@given(
    password=st.text(alphabet="a1:/?#@%[] &é", min_size=1),
    scheme=st.sampled_from(["https://", "http://", ""]),
)
def test_no_password_in_a_url_is_ever_shown(password: str, scheme: str) -> None:
    url = f"{scheme}user:QQ{password}QQ@ocr.example/path?x=1"
    assert "QQ" not in masked(url)
    assert "QQ" not in url_problem("The token URL", url)
    with pytest.raises(InvalidConnectionError) as caught:
        base_url_of(url)
    assert "QQ" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://me:/hunter2@h", "https://me:/hunter2?@h", "https://me/#hunter2@h"])
def test_a_password_that_was_not_encoded_is_no_part_of_a_path(url: str) -> None:
    said = url_problem("The token URL", url)
    assert "contains a user or a password" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://proxy.example:3128", ""),
        ("http://user:pass%3Aword@proxy.example:3128", ""),
        ("http://do%3Amain:word@proxy.example", "The user of the proxy contains a colon"),
        ("socks5://proxy.example", "not an http or https URL"),
        ("proxy.example:3128", "not an http or https URL"),
    ],
)
def test_a_proxy(proxy: str, said: str) -> None:
    assert said in proxy_problem(proxy)
    assert bool(said) == bool(proxy_problem(proxy))
    assert "word" not in proxy_problem(proxy)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://ocr.example/connect/token", "ocr.example:443"),
        ("http://user:secret@[::1]:8080/x", "[::1]:8080"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_place_of_a_url(url: str, place: str) -> None:
    assert place_of(url) == place
