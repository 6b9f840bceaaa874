from __future__ import annotations

import json
import logging
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk import Connection
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # is no public name
from structlog.testing import capture_logs

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    InputError,
    InvalidConnectionError,
    SettingsError,
    SourceError,
    TaskFailedError,
    TaskTimeoutError,
    TrialNotAvailableError,
)
from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.connection import account_of, read_account
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle import cancel
from airflow_provider_asposeocr.lifecycle.cancel import CancelRule
from tests.support.raw_servers import RawServer, answering, free_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from structlog.typing import EventDict

    from airflow_provider_asposeocr.api.account import Account

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
SECRET = "a-long-and-secret-word"


def account(extra: dict[str, Any] | None = None, **fields: Any) -> Account:
    given = {"login": "the-id", "password": SECRET, **fields}
    return account_of(
        Connection(conn_id="ocr", conn_type="aspose_ocr", extra=json.dumps(extra or {}), **given)
    )


def _text(logged: list[EventDict]) -> str:
    """What Airflow's loggers were given, before anything is masked. Its own loggers do not reach caplog."""
    return " ".join(str(entry["event"]) % tuple(entry.get("positional_args", ())) for entry in logged)


class TestConnection:
    @pytest.mark.parametrize(
        ("fields", "base_url"),
        [
            ({}, "https://api.aspose.cloud"),
            ({"host": ""}, "https://api.aspose.cloud"),
            ({"host": " "}, "https://api.aspose.cloud"),
            ({"host": "ocr.example"}, "https://ocr.example"),
            ({"host": "https://ocr.example"}, "https://ocr.example"),
            ({"host": "https://ocr.example/"}, "https://ocr.example"),
            ({"host": " https://ocr.example// "}, "https://ocr.example"),
            ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
            ({"host": "ocr.example", "port": 8443}, "https://ocr.example:8443"),
            ({"host": "http://ocr.example", "port": 8080}, "http://ocr.example:8080"),
            ({"host": "ocr.example", "schema": "http", "port": 80}, "http://ocr.example"),
        ],
    )
    def test_the_host_in_all_its_spellings(self, fields: dict[str, Any], base_url: str) -> None:
        assert account(**fields).base_url == base_url

    @pytest.mark.parametrize(
        ("extra", "field", "value"),
        [
            ({}, "trial", False),
            ({"evaluation_mode": True}, "trial", True),
            ({"evaluation_mode": "true"}, "trial", True),
            ({"evaluation_mode": "false"}, "trial", False),
            ({"evaluation_mode": None}, "trial", False),
            ({"request_timeout_seconds": 5}, "request_timeout_seconds", 5.0),
            ({"request_timeout_seconds": "5.5"}, "request_timeout_seconds", 5.5),
            ({"request_timeout_seconds": None}, "request_timeout_seconds", 60.0),
            ({"request_timeout_seconds": ""}, "request_timeout_seconds", 60.0),
            ({"connect_timeout_seconds": 3}, "connect_timeout_seconds", 3.0),
            ({"max_requests_per_second": 2}, "max_requests_per_second", 2.0),
            ({"max_connections": 4}, "max_connections", 4),
            ({"max_connections": "4"}, "max_connections", 4),
            ({"max_connections": None}, "max_connections", 16),
            ({"ca_bundle": "/etc/ca.pem"}, "ca_bundle", "/etc/ca.pem"),
            ({"ca_bundle": ""}, "ca_bundle", None),
            ({"proxy": "http://p.example:3128"}, "proxy", "http://p.example:3128"),
            ({"token_url": "https://t.example/token"}, "token_url", "https://t.example/token"),
            ({"token_url": ""}, "token_url", None),
            ({"something": "else"}, "trial", False),
        ],
    )
    def test_extras(self, extra: dict[str, Any], field: str, value: Any) -> None:
        assert getattr(account(extra), field) == value

    @pytest.mark.parametrize(
        "name",
        ["request_timeout_seconds", "connect_timeout_seconds", "max_requests_per_second", "max_connections"],
    )
    @pytest.mark.parametrize("value", [0, -1, "0", "soon", "nan", "inf", float("nan"), [], {}, [5], 10**400])
    def test_a_number_that_makes_no_sense_is_named(self, name: str, value: Any) -> None:
        with pytest.raises(InputError, match=f"{name} in the connection's extras"):
            account({name: value})

    @pytest.mark.parametrize("value", [1, 2.5, "1"])
    def test_connections_are_whole_and_one_is_kept_for_cancels(self, value: Any) -> None:
        with pytest.raises(InputError, match="max_connections in the connection's extras"):
            account({"max_connections": value})

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"login": None}, "no client id."),
            ({"password": None}, "no client secret."),
            ({"host": "ftp://ocr.example"}, "not an http or https URL"),
            ({"host": "ocr.example:8080", "port": 80}, "names port 8080 and the field Port says 80"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, fields: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError, match=said):
            account(**fields)

    def test_all_that_makes_no_sense_is_named_at_once(self) -> None:
        extra = {
            "evaluation_mode": "perhaps",
            "request_timeout_seconds": "soon",
            "connect_timeout_seconds": -1,
            "max_connections": 1,
            "ca_bundle": 5,
            "token_url": "nonsense",
            "proxy": "http://do%3Amain:hidden@proxy.example",
        }
        with pytest.raises(InvalidConnectionError) as caught:
            account(extra, host="ftp://ocr.example", login=None, password=None)
        for name in (*set(extra) - {"token_url", "proxy"}, "base URL", "token URL", "proxy", "client secret"):
            assert name in caught.value.message
        assert "hidden" not in caught.value.message

    @pytest.mark.parametrize("word", ["perhaps", "ture", 2, [], {}])
    def test_evaluation_mode_is_true_or_false(self, word: Any) -> None:
        with pytest.raises(
            InputError, match="evaluation_mode in the connection's extras is .* not true or false"
        ):
            account({"evaluation_mode": word})

    def test_evaluation_mode_needs_no_credentials(self) -> None:
        assert account({"evaluation_mode": True}, login=None, password=None).trial

    async def test_both_ways_of_reading_agree(self, connection: Callable[..., str]) -> None:
        conn_id = connection(
            host="ocr.example", login="i", password=SECRET, extra={"request_timeout_seconds": 7}
        )
        assert await read_account(conn_id) == AsposeOcrHook(conn_id).account

    @pytest.mark.parametrize("extra", ["nonsense", "[1]", "5", '"text"', "null", '{"ca_bundle"'])
    async def test_extras_that_are_no_object_are_named_both_ways(
        self, connection: Callable[..., str], extra: str
    ) -> None:
        conn_id = connection(login="i", password=SECRET, extra=extra)
        with pytest.raises(InputError, match="extras are not a JSON object"):
            _ = AsposeOcrHook(conn_id).account
        with pytest.raises(InputError, match="extras are not a JSON object"):
            await read_account(conn_id)

    @pytest.mark.parametrize("name", ["ca_bundle", "proxy", "token_url"])
    @pytest.mark.parametrize("value", [5, True, ["http://p.example"], {"a": 1}])
    def test_a_text_that_is_none_is_named(self, name: str, value: Any) -> None:
        with pytest.raises(InputError, match=f"{name} in the connection's extras is not a text"):
            account({name: value})

    def test_a_missing_connection_is_named_and_not_retried(self) -> None:
        with pytest.raises(InvalidConnectionError, match="no connection 'no_such_connection'") as caught:
            _ = AsposeOcrHook("no_such_connection").account
        assert not caught.value.retryable

    @pytest.mark.parametrize(
        ("uri", "base_url"),
        [
            ("aspose-ocr://id:secret@[::1]:8080", "https://[::1]:8080"),
            ("aspose-ocr://id:secret@[::1]:8080/http", "http://[::1]:8080"),
            (
                "aspose-ocr://id:secret@http%3A%2F%2Focr.example%2Faspose:33203",
                "http://ocr.example:33203/aspose",
            ),
            ("aspose-ocr://id:secret@ocr.example:443", "https://ocr.example"),
        ],
    )
    def test_a_connection_as_a_uri(self, monkeypatch: pytest.MonkeyPatch, uri: str, base_url: str) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_BY_URI", uri)
        assert AsposeOcrHook("by_uri").account.base_url == base_url

    @pytest.mark.parametrize("field", ["host", "token_url"])
    def test_a_password_in_a_url_is_refused_and_shown_nowhere(
        self, connection: Callable[..., str], field: str
    ) -> None:
        url = "https://me:hunter2-and-more@ocr.example"
        fields = {"host": url} if field == "host" else {"extra": {"token_url": url}}
        works, said = AsposeOcrHook(connection(login="i", password=SECRET, **fields)).test_connection()
        assert not works
        assert "contains a user or a password" in said
        assert "hunter2" not in said
        assert "hunter2" not in str(redact("hunter2-and-more"))

    def test_the_secret_is_masked_although_the_extras_are_broken(self) -> None:
        conn = Connection(
            conn_id="o", conn_type="aspose_ocr", login="i", password="of-broken-extras", extra="{"
        )
        with pytest.raises(InvalidConnectionError):
            account_of(conn)
        assert "of-broken-extras" not in str(redact("of-broken-extras"))

    def test_unknown_extras_are_in_the_log_once(
        self, connection: Callable[..., str], caplog: pytest.LogCaptureFixture
    ) -> None:
        conn_id = connection("misspelt", login="i", password=SECRET, extra={"request_timeout": 5})
        for _ in range(3):
            _ = AsposeOcrHook(conn_id).account
        [line] = [record.getMessage() for record in caplog.records if "misspelt" in record.getMessage()]
        assert (
            "'request_timeout' is not known and has no effect. Did you mean 'request_timeout_seconds'?"
            in line
        )


class TestSecrets:
    def test_the_secret_and_the_proxy_are_masked_once_the_connection_is_read(self) -> None:
        proxy = "http://user:hunter2@proxy.example"
        account({"proxy": proxy}, password="another-secret-word")
        said = redact(f"it is another-secret-word over {proxy}")
        assert "another-secret-word" not in said
        assert "hunter2" not in said

    async def test_they_are_masked_in_the_triggerer_too(self, connection: Callable[..., str]) -> None:
        proxy = "http://user:swordfish@proxy.example"
        conn_id = connection(login="i", password="a-third-secret-word", extra={"proxy": proxy})
        assert "swordfish" in str(redact(f"over {proxy}"))
        await read_account(conn_id)
        said = str(redact(f"it is a-third-secret-word over {proxy}"))
        assert "a-third-secret-word" not in said
        assert "swordfish" not in said

    def test_a_token_is_masked_the_moment_it_exists(self, emulator_connection: Callable[..., str]) -> None:
        # An account of its own, and so a client that has no token yet.
        hook = AsposeOcrHook(emulator_connection("masked", request_timeout_seconds=31))
        hook.client.obtain_token()
        token = hook.client._token()
        assert len(token) > 10
        assert token not in str(redact(f"Bearer {token}"))

    def test_nothing_shows_them(
        self,
        aspose_ocr_emulator: Emulator,
        connection: Callable[..., str],
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        conn_id = connection("shown", host=aspose_ocr_emulator.url, login="the-id", password=SECRET)
        hook = AsposeOcrHook(conn_id)
        with caplog.at_level(logging.DEBUG), pytest.raises(AsposeOcrError) as caught:
            hook.client.obtain_token()
        error = caught.value
        said = f"{error} {error!r} {error.to_dict()} {hook.account!r} {vars(hook)} {vars(hook.client)} {caplog.text}"
        assert SECRET not in said

    def test_nothing_shows_the_token(
        self, hook: AsposeOcrHook, source: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG), capture_logs() as logged:
            task = hook.submit("RecognizeImage", source)
            hook.wait(task, poll_interval_seconds=0.01)
            hook.fetch(task)
        token = hook.client._token()
        slot = hook.client._tokens.usable(0.0)
        assert slot is not None
        assert slot.value == token
        said = f"{caplog.text} {_text(logged)}"
        assert f"Submitted RecognizeImage {task['id']}" in said
        shown = f"{slot!r} {slot} {task} {hook!r} {vars(hook)} {hook.client!r} {vars(hook.client)}"
        assert token not in shown + said


class TestTestConnection:
    def _test(self, conn_id: str) -> tuple[bool, str]:
        return AsposeOcrHook(conn_id).test_connection()

    def test_it_works_and_bills_nothing(self, cloud_connection: str, aspose_ocr_emulator: Emulator) -> None:
        assert self._test(cloud_connection) == (
            True,
            f"{aspose_ocr_emulator.url} accepts the client id and secret.",
        )
        assert aspose_ocr_emulator.control.billing() == {}
        assert aspose_ocr_emulator.control.tasks() == []

    def test_evaluation_mode(self, aspose_ocr_emulator: Emulator, connection: Callable[..., str]) -> None:
        conn_id = connection(host=aspose_ocr_emulator.url, extra={"evaluation_mode": True})
        works, said = self._test(conn_id)
        assert works
        assert "evaluation mode" in said
        assert not any(entry["path"] == "/connect/token" for entry in aspose_ocr_emulator.control.journal())

    def test_evaluation_mode_where_status_is_refused(self, connection: Callable[..., str]) -> None:
        with Emulator(Options(engine="canned", trial_status_auth="required")) as emulator:
            works, said = self._test(connection(host=emulator.url, extra={"evaluation_mode": True}))
        assert (works, "evaluation mode" in said) == (True, True)

    @pytest.mark.parametrize("works", [True, False])
    @pytest.mark.parametrize(
        ("extra", "hint"),
        [
            ("evaluation_mod", "Did you mean 'evaluation_mode'?"),
            ("request_timeout", "Did you mean 'request_timeout_seconds'?"),
            ("extra__aspose_ocr__proxy", "Did you mean 'proxy'?"),
            ("zzz", "Known extras: evaluation_mode, "),
        ],
    )
    def test_an_extra_that_has_no_effect_is_named(
        self,
        aspose_ocr_emulator: Emulator,
        connection: Callable[..., str],
        extra: str,
        hint: str,
        works: bool,
    ) -> None:
        host = aspose_ocr_emulator.url if works else "ftp://ocr.example"
        conn_id = connection(host=host, login="emulator", password="emulator", extra={extra: "some-value"})
        worked, said = self._test(conn_id)
        assert worked is works, said
        assert f"The extra {extra!r} is not known and has no effect." in said
        assert hint in said
        assert "some-value" not in said

    def test_a_missing_connection(self) -> None:
        works, said = self._test("no_such_connection")
        assert (works, "no connection 'no_such_connection'" in said) == (False, True)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_dead_proxy_is_called_the_proxy(self, connection: Callable[..., str], scheme: str) -> None:
        dead = free_port()
        extra = {"evaluation_mode": True, "proxy": f"http://me:hidden-word@127.0.0.1:{dead}"}
        works, said = self._test(connection(host=f"{scheme}://ocr.example", extra=extra))
        assert not works
        assert f"the proxy 127.0.0.1:{dead} cannot be used" in said
        assert "Check the proxy" in said
        assert "base URL" not in said
        assert "hidden-word" not in said

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_proxy_that_refuses(self, connection: Callable[..., str], scheme: str) -> None:
        with RawServer(answering("407 Proxy Authentication Required", b"who are you?")) as proxy:
            extra = {"proxy": proxy.url}
            conn_id = connection(host=f"{scheme}://ocr.example", login="i", password="p", extra=extra)
            works, said = self._test(conn_id)
        assert not works
        assert "proxy" in said
        assert "407" in said
        assert "Check the proxy" in said

    def test_http_to_a_port_for_https(self, connection: Callable[..., str]) -> None:
        page = b"<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>"
        with RawServer(answering("400 Bad Request", page, "Content-Type: text/html")) as server:
            works, said = self._test(connection(host=server.url, login="i", password="p-for-tls"))
        assert not works
        assert "the URL says http and 127.0.0.1" in said
        assert "Check the scheme and the port" in said

    def test_nothing_is_said_that_only_a_task_s_reader_can_do(self, connection: Callable[..., str]) -> None:
        for fields in ({}, {"login": "emulator", "password": "wrong"}, {"extra": "nonsense"}):
            _, said = self._test(connection(host="http://127.0.0.1:9", **fields))
            for word in ("clear", "DAG", "retry", "billed"):
                assert word not in said

    def test_bad_credentials_and_then_until_when(
        self, aspose_ocr_emulator: Emulator, connection: Callable[..., str]
    ) -> None:
        conn_id = connection("bad", host=aspose_ocr_emulator.url, login="emulator", password="not-this-one")
        works, said = self._test(conn_id)
        assert not works
        assert "the cloud answered 400" in said
        assert "Correct the client id and secret" in said
        works, said = self._test(conn_id)
        assert not works
        assert "offers the same pair again at " in said
        assert " UTC" in said

    def test_locked_out_until_when(
        self, aspose_ocr_emulator: Emulator, connection: Callable[..., str]
    ) -> None:
        conn_id = connection("locked", host=aspose_ocr_emulator.url, login="locked", password="locked-out")
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "path": "/connect/token", "status": 429, "headers": {"Retry-After": "600"}}
        )
        works, said = self._test(conn_id)
        assert (works, "asks to wait 600 s" in said) == (False, True)
        works, said = self._test(conn_id)
        assert (works, "locked the client id and secret out until" in said) == (False, True)

    def test_no_access(self, cloud_connection: str, aspose_ocr_emulator: Emulator) -> None:
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "path": "Utilities/*", "status": 403, "count": 9}
        )
        works, said = self._test(cloud_connection)
        assert not works
        assert "403" in said
        assert "vendor's dashboard" in said

    def test_unreachable(self, connection: Callable[..., str]) -> None:
        conn_id = connection(host=f"http://127.0.0.1:{free_port()}", extra={"evaluation_mode": True})
        works, said = self._test(conn_id)
        assert not works
        assert "refused" in said
        assert "Check the scheme, host and port of the base URL" in said

    def test_nothing_is_repeated_while_a_user_waits(
        self, aspose_ocr_emulator: Emulator, connection: Callable[..., str]
    ) -> None:
        conn_id = connection("busy", host=aspose_ocr_emulator.url, login="emulator", password="busy-server")
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "path": "/connect/token", "status": 503, "count": 9}
        )
        works, said = self._test(conn_id)
        assert (works, "answered 503" in said) == (False, True)
        asked = [
            entry for entry in aspose_ocr_emulator.control.journal() if entry["path"] == "/connect/token"
        ]
        assert len(asked) == 1

    def test_unknown_host(self, connection: Callable[..., str]) -> None:
        works, said = self._test(
            connection(host="http://no-such-host.invalid", extra={"evaluation_mode": True})
        )
        assert not works
        assert "no-such-host.invalid" in said

    @pytest.mark.parametrize("trial", [False, True])
    def test_not_the_api(self, connection: Callable[..., str], trial: bool) -> None:
        page = answering("200 OK", b"<!DOCTYPE html><title>Intranet</title>", "Content-Type: text/html")
        with RawServer(page) as server:
            conn_id = connection(
                host=server.url, login="i", password="some-secret", extra={"evaluation_mode": trial}
            )
            works, said = self._test(conn_id)
        assert not works
        assert "Check that the base URL and the token URL are those of Aspose.OCR Cloud" in said

    def test_a_404_of_another_server(self, connection: Callable[..., str]) -> None:
        with RawServer(answering("404 Not Found", b"nothing here")) as server:
            works, said = self._test(connection(host=server.url, login="i", password="some-secret-2"))
        assert not works
        assert "127.0.0.1" in said
        assert "answered 404" in said
        assert "those of Aspose.OCR Cloud" in said
        assert "source" not in said

    def test_a_certificate_that_is_not_trusted(
        self, connection: Callable[..., str], own_certificate: Path
    ) -> None:
        state = answering("200 OK", b'{"taskStatus":"NotExist"}', "Content-Type: application/json")
        with RawServer(state, tls=own_certificate) as server:
            extra: dict[str, Any] = {"evaluation_mode": True}
            works, said = self._test(connection("untrusted", host=server.url, extra=extra))
            assert not works
            assert "the certificate of the server is not trusted" in said
            assert "Set ca_bundle in the connection's extras" in said
            # The remedy that the message names works.
            extra["ca_bundle"] = str(own_certificate)
            works, said = self._test(connection("trusted", host=server.url, extra=extra))
            assert works, said

    def test_no_tls_there(self, connection: Callable[..., str]) -> None:
        def plain(peer: socket.socket) -> None:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with RawServer(plain) as server:
            conn_id = connection(host=server.url.replace("http:", "https:"), extra={"evaluation_mode": True})
            works, said = self._test(conn_id)
        assert not works
        assert "answers in plain HTTP" in said
        assert "Check the scheme and the port" in said
        assert "firewall" not in said

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"login": "i"}, "no client secret"),
            ({"host": "ftp://x", "login": "i", "password": "s"}, "not an http or https URL"),
            (
                {"extra": {"evaluation_mode": True, "request_timeout_seconds": "soon"}},
                "request_timeout_seconds",
            ),
            ({"extra": {"evaluation_mode": True, "max_requests_per_second": []}}, "max_requests_per_second"),
            ({"extra": {"evaluation_mode": True, "ca_bundle": "/no/such.pem"}}, "/no/such.pem"),
            ({"extra": {"evaluation_mode": True, "ca_bundle": 5}}, "ca_bundle"),
            ({"extra": {"evaluation_mode": True, "proxy": ["http://p.example"]}}, "proxy"),
            ({"login": "i", "password": "s", "extra": "nonsense"}, "not a JSON object"),
        ],
    )
    def test_a_form_that_makes_no_sense(
        self, connection: Callable[..., str], fields: dict[str, Any], said: str
    ) -> None:
        works, words = self._test(connection(**fields))
        assert not works
        assert said in words


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    key, certificate = (tmp_path_factory.mktemp("tls") / name for name in ("key.pem", "certificate.pem"))
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    certificate.write_bytes(key.read_bytes() + certificate.read_bytes())
    return certificate


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "page.png").write_bytes(PNG)
    return f"{tmp_path}/page.png"


@pytest.fixture
def hook(cloud_connection: str) -> AsposeOcrHook:
    return AsposeOcrHook(cloud_connection)


class TestFromATask:
    """What the README shows: submit, status, wait, fetch, cancel from plain Python."""

    def test_a_deadline_noticed_by_a_poll_that_failed_deletes_no_result(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        task = hook.submit("RecognizeImage", source)
        hook.wait(task, poll_interval_seconds=0.01)
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "status": 503, "path": "*/GetTaskStatus", "count": 1}
        )
        hook.wait(task, poll_interval_seconds=0.01, timeout_seconds=0.0)
        assert [result.type for result in hook.fetch(task)] == ["Text"]

    def test_without_an_answer_the_deadline_cancels_nothing_and_the_log_says_so(
        self,
        hook: AsposeOcrHook,
        aspose_ocr_emulator: Emulator,
        source: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(cancel, "IN_WORKER", CancelRule(0.3))
        control = aspose_ocr_emulator.control
        control.add_faults({"kind": "task_stuck"})
        task = hook.submit("RecognizeImage", source)
        control.add_faults({"kind": "status", "status": 503, "path": "*/GetTaskStatus", "probability": 1.0})
        with pytest.raises(TaskTimeoutError):
            hook.wait(task, poll_interval_seconds=0.01, timeout_seconds=0.0)
        assert [entry for entry in control.journal() if entry["method"] == "DELETE"] == []
        assert "may still run" in caplog.text

    def test_submit_wait_fetch(self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str) -> None:
        before = datetime.now(UTC)
        task = hook.submit("RecognizeImage", source, settings={"language": "English"})
        ref = parse_task_ref(task)
        assert (ref.operation, ref.conn_id, ref.source_name) == ("RecognizeImage", "ocr", "page.png")
        assert ref.source_bytes == Path(source).stat().st_size
        assert before <= ref.submitted_at <= datetime.now(UTC)
        hook.wait(task, poll_interval_seconds=0.01)
        assert hook.status(task).status.value == "Completed"
        (result,) = hook.fetch(task)
        assert result.type == "Text"
        import hashlib

        assert result.text == canned_text(hashlib.sha256(PNG).hexdigest())
        assert result.size_bytes == len(result.data)
        assert result.sha256 == hashlib.sha256(result.data).hexdigest()
        assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 1}

    def test_a_chain_moves_on_without_storage(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str, tmp_path: Path
    ) -> None:
        task: Any = source
        for operation in ("UpscaleImage", "BinarizeImage", "RecognizeImage"):
            task = hook.submit(operation, task)
            hook.wait(task, poll_interval_seconds=0.01)
        manifest = hook.fetch_to(task, f"{tmp_path}/out/")
        assert [entry["uri"] for entry in manifest["results"]] == [f"{tmp_path}/out/page.txt"]
        assert aspose_ocr_emulator.control.billing() == {
            "UpscaleImage": 1,
            "BinarizeImage": 1,
            "RecognizeImage": 1,
        }

    def test_cancel(self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str) -> None:
        aspose_ocr_emulator.control.add_faults({"kind": "task_stuck"})
        task = hook.submit("RecognizeImage", source)
        assert not hook.status(task).status.is_terminal
        hook.cancel(task)
        assert hook.status(task).status.value == "NotExist"

    def test_wait_ends_with_the_cloud_s_error(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        aspose_ocr_emulator.control.add_faults({"kind": "task_error"})
        task = hook.submit("RecognizeImage", source)
        with pytest.raises(TaskFailedError) as caught:
            hook.wait(task, poll_interval_seconds=0.01)
        assert caught.value.task_id == task["id"]

    FAILED: ClassVar[dict[str, Any]] = {"kind": "task_error", "messages": ["The page is upside down"]}

    def test_wait_shows_the_cloud_s_reasons_as_operators_do(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        """The status has none; the cloud documents them for the operation's own path."""
        aspose_ocr_emulator.control.add_faults(self.FAILED)
        task = hook.submit("RecognizeImage", source)
        with pytest.raises(TaskFailedError, match="The page is upside down") as caught:
            hook.wait(task, poll_interval_seconds=0.01)
        assert caught.value.task_id == task["id"]
        assert hook.status(task).messages == ["The page is upside down"]

    def test_a_task_that_has_failed_by_its_deadline_has_failed_and_not_timed_out(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        control = aspose_ocr_emulator.control
        control.add_faults(self.FAILED)
        task = hook.submit("RecognizeImage", source)
        with pytest.raises(TaskFailedError):
            hook.wait(task, poll_interval_seconds=0.01)
        control.add_faults({"kind": "status", "status": 503, "path": "*/GetTaskStatus", "count": 1})
        with pytest.raises(TaskFailedError, match="The page is upside down"):
            hook.wait(task, poll_interval_seconds=0.01, timeout_seconds=0.0)
        assert self._deletes(aspose_ocr_emulator) == []

    def test_a_reason_that_cannot_be_read_hides_no_failure(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        control = aspose_ocr_emulator.control
        control.add_faults(self.FAILED)
        task = hook.submit("RecognizeImage", source)
        control.add_faults(
            {"kind": "status", "status": 400, "method": "GET", "path": "RecognizeImage", "count": 2}
        )
        with pytest.raises(TaskFailedError, match="failed in the cloud"):
            hook.wait(task, poll_interval_seconds=0.01)
        assert hook.status(task).status.value == "Error"

    def test_wait_cancels_at_its_deadline(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        aspose_ocr_emulator.control.add_faults({"kind": "task_stuck"})
        task = hook.submit("RecognizeImage", source)
        with pytest.raises(TaskTimeoutError):
            hook.wait(task, timeout_seconds=0.2, poll_interval_seconds=0.05)
        assert [each["deleted"] for each in aspose_ocr_emulator.control.tasks()] == [True]
        (deleted,) = self._deletes(aspose_ocr_emulator)
        assert (deleted["id"], deleted["status"]) == (task["id"], 200)

    def test_wait_that_cannot_cancel_still_says_that_it_timed_out(
        self,
        hook: AsposeOcrHook,
        aspose_ocr_emulator: Emulator,
        source: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        aspose_ocr_emulator.control.add_faults(
            {"kind": "task_stuck"}, {"kind": "status", "method": "DELETE", "status": 503, "count": 9}
        )
        task = hook.submit("RecognizeImage", source)
        with pytest.raises(TaskTimeoutError):
            hook.wait(task, timeout_seconds=0.1, poll_interval_seconds=0.05)
        # As often as any single request is tried.
        assert [entry["status"] for entry in self._deletes(aspose_ocr_emulator)] == [503] * 4
        assert f"RecognizeImage {task['id']} (page.png) may still run" in caplog.text

    def test_wait_that_ends_otherwise_cancels_nothing(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        hook.wait(hook.submit("RecognizeImage", source), poll_interval_seconds=0.01)
        aspose_ocr_emulator.control.add_faults({"kind": "task_error"})
        with pytest.raises(TaskFailedError):
            hook.wait(hook.submit("RecognizeImage", source), poll_interval_seconds=0.01)
        assert self._deletes(aspose_ocr_emulator) == []

    @staticmethod
    def _deletes(emulator: Emulator) -> list[dict[str, Any]]:
        return [entry for entry in emulator.control.journal() if entry["method"] == "DELETE"]

    def test_an_upstream_of_another_connection_is_fetched_there(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str, connection: Callable[..., str]
    ) -> None:
        upstream = hook.submit("UpscaleImage", source)
        hook.wait(upstream, poll_interval_seconds=0.01)
        with Emulator(Options(engine="canned")) as elsewhere:
            conn_id = connection("elsewhere", host=elsewhere.url, login="emulator", password="emulator")
            task = AsposeOcrHook(conn_id).submit("RecognizeImage", upstream)
            assert (task["conn_id"], task["source_name"]) == ("elsewhere", "page.png")
            assert elsewhere.control.billing() == {"RecognizeImage": 1}
            assert [each["id"] for each in elsewhere.control.tasks()] == [task["id"]]
        assert aspose_ocr_emulator.control.billing() == {"UpscaleImage": 1}

    def test_a_task_of_another_connection_is_asked_for_there(
        self, aspose_ocr_emulator: Emulator, hook: AsposeOcrHook, source: str, connection: Callable[..., str]
    ) -> None:
        task = hook.submit("RecognizeImage", source)
        hook.wait(task, poll_interval_seconds=0.01)
        elsewhere = AsposeOcrHook(connection("other", host="http://127.0.0.1:1", login="i", password="s"))
        assert elsewhere.status(task).status.value == "Completed"
        assert len(elsewhere.fetch(task)) == 1

    @pytest.mark.parametrize(
        ("operation", "arguments", "cls", "said"),
        [
            ("RecogniseImage", {}, InputError, "Did you mean 'RecognizeImage'"),
            (
                "RecognizeImage",
                {"settings": {"language": "english"}},
                SettingsError,
                "Did you mean 'English'",
            ),
            ("RecognizeImage", {"settings": "English"}, SettingsError, "mapping"),
            ("UpscaleImage", {"settings": {"language": "English"}}, SettingsError, "has no settings"),
            ("RecognizePdf", {}, SourceError, "looks like png"),
        ],
    )
    def test_bad_input_costs_nothing(
        self,
        hook: AsposeOcrHook,
        aspose_ocr_emulator: Emulator,
        source: str,
        operation: str,
        arguments: dict[str, Any],
        cls: type[Exception],
        said: str,
    ) -> None:
        with pytest.raises(cls, match=said):
            hook.submit(operation, source, **arguments)
        assert aspose_ocr_emulator.control.journal() == []

    def test_unknown_settings_pass_when_asked(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        with pytest.raises(AsposeOcrError, match="400"):
            hook.submit("RecognizeImage", source, settings={"futureThing": 1}, strict_settings=False)
        assert [entry["status"] for entry in aspose_ocr_emulator.control.journal()][-1] == 400

    def test_no_temporary_file_is_left(
        self, hook: AsposeOcrHook, source: str, own_temporary_folder: Path
    ) -> None:
        task = hook.submit("UpscaleImage", source)
        hook.wait(task, poll_interval_seconds=0.01)
        hook.fetch(task)
        left = [path.name for path in own_temporary_folder.iterdir() if path.name.startswith("aspose-ocr-")]
        assert left == []

    def test_a_bad_destination_is_refused_before_anything_is_fetched(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        task = hook.submit("RecognizeImage", source)
        since = len(aspose_ocr_emulator.control.journal())
        with pytest.raises(AsposeOcrError, match="relative path"):
            hook.fetch_to(task, "out/")
        assert len(aspose_ocr_emulator.control.journal()) == since


class TestEvaluationMode:
    @pytest.fixture
    def trial(self, aspose_ocr_emulator: Emulator, connection: Callable[..., str]) -> AsposeOcrHook:
        return AsposeOcrHook(connection(host=aspose_ocr_emulator.url, extra={"evaluation_mode": True}))

    def test_the_trial_variant_is_used_without_a_token(
        self, trial: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        task = trial.submit("RecognizeImage", source)
        assert task["operation"] == "RecognizeImageTrial"
        trial.wait(task, poll_interval_seconds=0.01)
        (result,) = trial.fetch(task)
        assert "*" in result.text
        assert all("token" not in entry["path"] for entry in aspose_ocr_emulator.control.journal())

    def test_an_operation_without_one_is_refused(
        self, trial: AsposeOcrHook, aspose_ocr_emulator: Emulator, source: str
    ) -> None:
        with pytest.raises(TrialNotAvailableError, match="UpscaleImage has no trial variant"):
            trial.submit("UpscaleImage", source)
        assert aspose_ocr_emulator.control.journal() == []
