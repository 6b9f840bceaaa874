"""
Proxies, certificates and ``.netrc``: each setting works in both clients or in neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    CertificateError,
    InputError,
    ProxyUnreachableError,
    SchemeMismatchError,
)
from airflow_provider_asposeocr.api.http.retrying import ONCE
from tests.support.raw_servers import RawServer, RecordingProxy, answering, free_port, read_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.client_drivers import Driver

STATE = b'{"taskStatus":"Pending"}'
JSON = "Content-Type: application/json"


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with RecordingProxy() as proxy:
        yield proxy


def ask(driver: Driver) -> str:
    return driver.status("RecognizeImage", "x", ONCE).taskStatus


class TestProxy:
    def test_of_the_account(
        self, new_driver: Callable[..., Driver], account: Account, proxy: RecordingProxy
    ) -> None:
        assert ask(new_driver(replace(account, proxy=proxy.url))) == "NotExist"
        url = account.base_url
        assert proxy.seen == [
            f"POST {url}/connect/token",
            f"GET {url}/v5.0/ocr/Utilities/GetTaskStatus?id=x",
        ]

    @pytest.mark.parametrize("bare", [False, True])
    @pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
    def test_of_the_environment(
        self,
        new_driver: Callable[..., Driver],
        account: Account,
        proxy: RecordingProxy,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        bare: bool,
    ) -> None:
        monkeypatch.setenv(name, proxy.url.removeprefix("http://") if bare else proxy.url)
        assert ask(new_driver(account)) == "NotExist"
        assert len(proxy.seen) == 2

    @pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "127.0.0.0/8", "example.org,127.0.0.1"])
    def test_no_proxy_is_honoured(
        self,
        new_driver: Callable[..., Driver],
        account: Account,
        proxy: RecordingProxy,
        monkeypatch: pytest.MonkeyPatch,
        no_proxy: str,
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", no_proxy)
        assert ask(new_driver(account)) == "NotExist"
        assert proxy.seen == []

    def test_with_credentials(
        self, new_driver: Callable[..., Driver], account: Account, proxy: RecordingProxy
    ) -> None:
        with_credentials = proxy.url.replace("//", "//user:pass%40word@")
        assert ask(new_driver(replace(account, proxy=with_credentials))) == "NotExist"
        assert set(proxy.proxy_authorizations) == {"Proxy-Authorization: Basic dXNlcjpwYXNzQHdvcmQ="}

    def test_through_a_tunnel_to_https(
        self, new_driver: Callable[..., Driver], proxy: RecordingProxy, server_certificate: Path
    ) -> None:
        with RawServer(answering("200 OK", STATE, JSON), tls=server_certificate) as server:
            account = Account(
                base_url=server.url, trial=True, ca_bundle=str(server_certificate), proxy=proxy.url
            )
            driver = new_driver(account)
            assert driver.status("RecognizeImageTrial", "x", ONCE).taskStatus == "Pending"
            driver.close()
            driver.close = lambda: None  # type: ignore[method-assign]  # the fixture closes what is open
        assert proxy.seen == [f"CONNECT 127.0.0.1:{server.port}"]

    def test_that_is_away(self, new_driver: Callable[..., Driver], account: Account) -> None:
        port = free_port()
        away = f"http://user:hunter2@127.0.0.1:{port}"
        for base_url in (account.base_url, "https://cloud.example"):
            with pytest.raises(
                ProxyUnreachableError, match=f"the proxy 127.0.0.1:{port} cannot be used"
            ) as caught:
                ask(new_driver(replace(account, base_url=base_url, proxy=away)))
            assert "hunter2" not in str(caught.value)

    def test_whose_name_is_unknown(self, new_driver: Callable[..., Driver], account: Account) -> None:
        with pytest.raises(
            ProxyUnreachableError, match="the proxy no-such-proxy.invalid:3128 cannot be used"
        ):
            ask(new_driver(replace(account, proxy="http://no-such-proxy.invalid:3128")))

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_that_refuses_does_not_give_its_password_away(
        self, new_driver: Callable[..., Driver], scheme: str
    ) -> None:
        with RawServer(answering("407 Proxy Authentication Required")) as refusing:
            account = Account(
                base_url=f"{scheme}://cloud.example",
                trial=True,
                proxy=refusing.url.replace("//", "//user:hunter2@"),
            )
            with pytest.raises(ProxyUnreachableError) as caught:
                new_driver(account).status("RecognizeImageTrial", "x", ONCE)
        assert "hunter2" not in f"{caught.value} {caught.value!r}"
        assert "407" in caught.value.message

    @pytest.mark.parametrize(
        "proxy", ["socks5://u:hunter2@127.0.0.1:1", "nonsense", "http://", "http://h:99999"]
    )
    def test_that_makes_no_sense_is_refused_and_not_shown(self, proxy: str) -> None:
        with pytest.raises(InputError, match="proxy is not an http or https URL") as caught:
            Account("i", "s", proxy=proxy)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "proxy_url", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://do%3Amain:hunter2@127.0.0.1:1"]
    )
    def test_of_the_environment_that_makes_no_sense_ends_in_a_named_error(
        self,
        new_driver: Callable[..., Driver],
        account: Account,
        monkeypatch: pytest.MonkeyPatch,
        proxy_url: str,
    ) -> None:
        monkeypatch.setenv("ALL_PROXY", proxy_url)
        with pytest.raises(ProxyUnreachableError, match="the proxy 127.0.0.1:1 cannot be used") as caught:
            ask(new_driver(account))
        assert "hunter2" not in str(caught.value)


class TestCertificates:
    @pytest.fixture
    def server(self, server_certificate: Path) -> Iterator[RawServer]:
        with RawServer(answering("200 OK", STATE, JSON), tls=server_certificate) as server:
            yield server

    def _ask(self, driver: Driver) -> str:
        return driver.status("RecognizeImageTrial", "x").taskStatus

    def test_one_that_no_authority_signed_is_refused_at_once(
        self, new_driver: Callable[..., Driver], server: RawServer
    ) -> None:
        driver = new_driver(Account(base_url=server.url, trial=True))
        with pytest.raises(CertificateError) as caught:
            self._ask(driver)
        assert "self-signed certificate" in caught.value.message
        assert "0x" not in caught.value.message
        assert "ca_bundle" in str(caught.value)
        assert driver.waits == []
        assert server.connections == 1

    def test_ca_bundle_makes_it_trusted(
        self, new_driver: Callable[..., Driver], server: RawServer, server_certificate: Path
    ) -> None:
        account = Account(base_url=server.url, trial=True, ca_bundle=str(server_certificate))
        assert self._ask(new_driver(account)) == "Pending"

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_so_does_the_environment(
        self,
        new_driver: Callable[..., Driver],
        server: RawServer,
        server_certificate: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        monkeypatch.setenv(name, str(server_certificate))
        assert self._ask(new_driver(Account(base_url=server.url, trial=True))) == "Pending"

    def test_one_for_another_host_is_refused(
        self, new_driver: Callable[..., Driver], other_certificate: Path
    ) -> None:
        with RawServer(answering("200 OK", STATE, JSON), tls=other_certificate) as server:
            account = Account(base_url=server.url, trial=True, ca_bundle=str(other_certificate))
            with pytest.raises(CertificateError):
                self._ask(new_driver(account))

    def test_no_tls_at_all_is_no_certificate_problem(self, new_driver: Callable[..., Driver]) -> None:
        def plain(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with RawServer(plain) as server:
            account = Account(base_url=server.url.replace("http:", "https:"), trial=True)
            with pytest.raises(
                SchemeMismatchError, match="says https and 127.0.0.1:.* answers in plain HTTP"
            ):
                self._ask(new_driver(account))

    @pytest.mark.parametrize("content", [None, b"", b"no certificate"])
    def test_a_bundle_that_is_none_is_named(
        self, new_driver: Callable[..., Driver], tmp_path: Path, content: bytes | None, server: RawServer
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        if content is not None:
            bundle.write_bytes(content)
        with pytest.raises(CertificateError) as caught:
            self._ask(new_driver(Account(base_url=server.url, trial=True, ca_bundle=str(bundle))))
        assert str(bundle) in caught.value.message


class TestAuthorization:
    def _head_of_status(self, new_driver: Callable[..., Driver]) -> bytes:
        heads: list[bytes] = []

        def handle(connection: socket.socket) -> None:
            request = read_request(connection)
            heads.append(request)
            body = b'{"access_token":"the-token"}' if b"/connect/token" in request else STATE
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )

        with RawServer(handle) as server:
            driver = new_driver(Account("i", "s", server.url))
            assert ask(driver) == "Pending"
            driver.close()
            driver.close = lambda: None  # type: ignore[method-assign]  # the fixture closes what is open
        assert len(heads) == 2
        return heads[1]

    def test_netrc_does_not_replace_the_token(
        self, new_driver: Callable[..., Driver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login mallory password hunter2\ndefault login a password b\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        head = self._head_of_status(new_driver)
        assert b"Authorization: Bearer the-token\r\n" in head
        assert head.count(b"uthorization") == 1

    def test_it_says_who_it_is(self, new_driver: Callable[..., Driver]) -> None:
        head = self._head_of_status(new_driver)
        assert b"User-Agent: airflow-provider-asposeocr\r\n" in head
        assert b"Accept: application/json\r\n" in head

    def test_a_redirect_does_not_carry_the_token_away(self, new_driver: Callable[..., Driver]) -> None:
        with RawServer(answering("200 OK", STATE, JSON)) as elsewhere:
            answers = answering("307 Temporary Redirect", b"", f"Location: {elsewhere.url}/x")
            with RawServer(answers) as server:
                driver = new_driver(Account(base_url=server.url, trial=True))
                with pytest.raises(AsposeOcrError):
                    driver.status("RecognizeImageTrial", "x", ONCE)
            assert elsewhere.connections == 0


class TestAccount:
    @pytest.mark.parametrize(
        "url",
        [
            "ftp://cloud.example",
            "cloud.example",
            "https://",
            "//cloud.example",
            "http:/cloud.example",
            "",
            "http://[::1",
            "http://cloud.example:99999",
            "http://cloud.example:port",
            "http://cloud.example:1:2",
            "http://cloud.example:0",
        ],
    )
    def test_a_url_that_is_none_is_refused(self, url: str) -> None:
        if url:
            with pytest.raises(InputError, match="is not an http or https URL"):
                Account("i", "s", url)
            with pytest.raises(InputError, match="is not an http or https URL"):
                Account("i", "s", token_url=url)

    @pytest.mark.parametrize("pair", [(None, None), ("i", None), (None, "s"), ("", "s"), ("i", "")])
    def test_an_account_needs_both_or_evaluation_mode(self, pair: tuple[str | None, str | None]) -> None:
        with pytest.raises(InputError, match="no client (id|secret)"):
            Account(*pair)
        Account(*pair, trial=True)

    def test_its_repr_shows_no_secret(self) -> None:
        account = Account("the-id", "the-secret", proxy="http://u:hunter2@p.example")
        assert "the-secret" not in repr(account)
        assert "hunter2" not in repr(account)
