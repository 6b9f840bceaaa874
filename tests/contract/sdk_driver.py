"""
Calls the vendor's SDK inside the SDK's own environment, on behalf of the tests.

Invariant: the SDK is used as its README and examples do, nothing of it is replaced, and every request goes to the host
that the command names. One JSON command per line of stdin, one JSON answer per line of stdout: ``{"value": …}`` or
``{"error": {"type": …, "status": …, "message": …}}``. Needs the standard library and the SDK only.
"""

from __future__ import annotations

import base64
import inspect
import json
import re
import sys
import urllib.parse
import urllib.request
from importlib import import_module, metadata
from typing import Any

import aspose_ocr_cloud  # type: ignore[import-not-found]  # is in the SDK's environment only
from aspose_ocr_cloud.configuration import Configuration  # type: ignore[import-not-found]  # see above


def snake(operation: str) -> str:
    """Spell an operation as the SDK's methods do: ``RecognizePdf`` is ``recognize_pdf``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation).lower()


def client(host: str, token: str | None) -> Any:
    return aspose_ocr_cloud.ApiClient(Configuration(host=host, access_token=token))


def client_of_24_8(host: str, token: str | None) -> Any:
    # This release's constructor takes a token and ignores it; it asks for one of its own, at the live cloud, as soon as
    # it is given an id.
    configuration = Configuration(host=host)
    configuration.access_token = token
    return aspose_ocr_cloud.ApiClient(configuration)


def has_token_of_its_own() -> bool:
    return hasattr(Configuration, "get_token")


def api(operation: str, host: str, token: str | None) -> Any:
    module = import_module(f"aspose_ocr_cloud.api.{snake(operation)}_api")
    make_client = client_of_24_8 if has_token_of_its_own() else client
    return getattr(module, f"{operation}Api")(make_client(host, token))


def body_class(method: Any) -> Any:
    """Return the class of the body that a submit takes, as its signature says."""
    return next(iter(inspect.signature(method).parameters.values())).annotation


def release() -> str:
    return metadata.version("aspose-ocr-cloud")


def documented_token(host: str, client_id: str, client_secret: str) -> Any:
    """Ask for a token as the vendor's docs say; 24.11.0 cannot."""
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    request = urllib.request.Request(f"{host}/connect/token", urllib.parse.urlencode(fields).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["access_token"]


def own_token(host: str, client_id: str, client_secret: str) -> Any:
    """Let 24.8.0 ask for its token; the URL is an attribute, and its constructor would ask the live cloud."""
    configuration = Configuration(host=host)
    configuration.auth_host = f"{host}/connect/token"
    configuration.client_id = client_id
    configuration.client_secret = client_secret
    return configuration.get_token()


def submit(host: str, token: str | None, operation: str, file: str, settings: dict[str, Any]) -> Any:
    calls = api(operation, host, token)
    method = getattr(calls, f"post_{snake(operation)}")
    body = body_class(method)
    with open(file, "rb") as source:
        content = source.read()
    fields = {}
    if "text" in body.model_fields:
        fields["text"] = content.decode()
    else:
        fields["image"] = base64.b64encode(content).decode()
    if "settings" in body.model_fields:
        fields["settings"] = body.model_fields["settings"].annotation(**settings)
    return method(body(**fields))


def default_settings(operation: str) -> Any:
    """Return the settings that the SDK adds to what the user sets."""
    body = body_class(getattr(api(operation, "http://127.0.0.1:9", None), f"post_{snake(operation)}"))
    if "settings" not in body.model_fields:
        return None
    model = body.model_fields["settings"].annotation
    required = any(field.is_required() for field in model.model_fields.values())
    return {} if required else model().to_dict()


def status(host: str, token: str | None, id: str) -> Any:
    return json.loads(api("Utilities", host, token).get_task_status(id=id).to_json())


def fetch(host: str, token: str | None, operation: str, id: str) -> Any:
    return json.loads(getattr(api(operation, host, token), f"get_{snake(operation)}")(id=id).to_json())


def cancel(host: str, token: str | None, operation: str, id: str) -> Any:
    return getattr(api(operation, host, token), f"cancel_{snake(operation)}")(id=id)


def vocabulary(name: str) -> list[str]:
    return [entry.value for entry in getattr(aspose_ocr_cloud.models, name)]


def configuration_of_the_readme() -> None:
    """Build the configuration of the README. Must not be called in 24.8.0, where it calls the live cloud."""
    if has_token_of_its_own():
        raise AssertionError("this would call the live cloud")
    Configuration(client_id="anybody", client_secret="anything")


def default_host() -> Any:
    return Configuration().host


COMMANDS = {
    command.__name__: command
    for command in (
        release,
        documented_token,
        own_token,
        submit,
        default_settings,
        status,
        fetch,
        cancel,
        vocabulary,
        configuration_of_the_readme,
        default_host,
    )
}


def answer(line: str) -> dict[str, Any]:
    command = json.loads(line)
    try:
        return {"value": COMMANDS[command.pop("command")](**command)}
    except Exception as error:  # The test checks which exception the SDK raises.
        http_status = getattr(error, "status", None)  # Both urllib's and the SDK's errors have ``status``.
        return {"error": {"type": type(error).__name__, "status": http_status, "message": str(error)[:2000]}}


if __name__ == "__main__":
    for command_line in sys.stdin:
        print(json.dumps(answer(command_line)), flush=True)
