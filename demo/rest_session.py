"""A session with Airflow's REST API: token, requests, answers, waits.

Invariant: a busy Airflow is waited for, and no answer is ignored. An HTTP error raises with the server's own words, and
nothing waits without a deadline.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

REQUEST_SECONDS = 30.0
#: How long a request that may be sent twice is repeated while no answer comes: on a busy machine Airflow can take minutes.
PATIENCE_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.5


class RestError(RuntimeError):
    """Airflow refused a request, or a state was not reached in time."""


class HttpError(RestError):
    """Airflow answered a request with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WaitedTooLong(RestError):
    """A deadline passed."""


class RestSession:
    """Sends requests to one Airflow, whose SimpleAuthManager makes every user an administrator, and waits for answers."""

    def __init__(
        self,
        base_url: str,
        check: Callable[[], None] | None = None,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        :param base_url: scheme, host and port, for example `LocalAirflow.base_url`.
        :param check: called while waiting, to end a wait that is in vain: `LocalAirflow.check` raises when a
            component has ended.
        :param look_every_seconds: how often a wait asks; many clients at once want a longer pause.
        :param request_seconds: longest time for one answer, 30.
        """
        self.base_url = base_url.rstrip("/")
        self._check = check or (lambda: None)
        self._look_every_seconds = look_every_seconds
        self._request_seconds = request_seconds
        self._session = requests.Session()
        # No proxy, no .netrc: this is loopback, and a .netrc entry would replace the bearer header.
        self._session.trust_env = False
        self._token: str | None = None

    def token(self) -> str:
        """Return the bearer token, fetched once; it is valid for a day.

        :raises RestError: if Airflow gives none.
        """
        if self._token is None:
            answer = self._answer("GET", f"{self.base_url}/auth/token", repeatable=True)
            self._token = str(_body(answer)["access_token"])
        return self._token

    def request(self, method: str, path: str, *, repeatable: bool | None = None, **arguments: Any) -> Any:
        """Send a request and return the decoded JSON of the answer.

        :param method: HTTP method.
        :param path: below `/api/v2`, path segments already quoted, for example `/providers`.
        :param repeatable: whether to send it again while no answer comes; by default all but POST.
        :param arguments: passed to `requests`: `params`, `json`.
        :return: `None` where the answer has no body.
        :raises RestError: for a status of 400 and above, with the answer's text; and where no answer comes.
        """
        return _body(
            self._answer(
                method,
                f"{self.base_url}/api/v2{path}",
                repeatable=method != "POST" if repeatable is None else repeatable,
                headers={"Authorization": f"Bearer {self.token()}", "Accept": "application/json"},
                **arguments,
            )
        )

    def _answer(self, method: str, url: str, *, repeatable: bool, **arguments: Any) -> requests.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._session.request(method, url, timeout=self._request_seconds, **arguments)
            except requests.Timeout as error:
                self._check()
                if not repeatable or time.monotonic() > deadline:
                    raise WaitedTooLong(f"{method} {url} was not answered: {error}") from None

    def get(self, path: str, **params: Any) -> Any:
        """GET; `params` become the query."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST a JSON body."""
        return self.request("POST", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """PATCH with a JSON body."""
        return self.request("PATCH", path, json=dict(body))

    def wait_until(self, look: Callable[[], T | None], what: str, timeout_seconds: float) -> T:
        """Ask again and again until there is an answer.

        :param look: asks; `None` = not yet.
        :param what: what is waited for, for the message of a failure.
        :param timeout_seconds: until it must be there.
        :raises RestError: when time is up.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = look()
            if found is not None:
                return found
            self._check()
            if time.monotonic() > deadline:
                raise WaitedTooLong(f"waited {timeout_seconds:g} s for {what}")
            time.sleep(self._look_every_seconds)


def _body(answer: requests.Response) -> Any:
    status, request = answer.status_code, answer.request
    if status >= 400:
        raise HttpError(status, f"{request.method} {request.url} answered {status}: {answer.text}")
    return answer.json() if answer.content else None
