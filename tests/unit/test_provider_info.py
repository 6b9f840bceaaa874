from __future__ import annotations

import importlib
import json
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import airflow
import jsonschema  # type: ignore[import-untyped]  # comes with Airflow, its stubs do not
import pytest
from airflow.configuration import conf
from airflow.sdk import Connection
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from airflow_provider_asposeocr import config, connection
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.config import default_seconds
from airflow_provider_asposeocr.get_provider_info import CONFIG, CONN_FIELDS, get_provider_info
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.api.account import Account

INFO = get_provider_info()
PACKAGE = Path(config.__file__).parent


def _modules(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "python-modules":
                yield from item
            else:
                yield from _modules(item)
    elif isinstance(value, list):
        for item in value:
            yield from _modules(item)


#: For each field of the form something that is not its default.
OTHER_VALUES = {
    "evaluation_mode": True,
    "request_timeout_seconds": 7,
    "connect_timeout_seconds": 3.5,
    "max_requests_per_second": 2,
    "max_connections": 4,
    "ca_bundle": "/etc/ca.pem",
    "proxy": "http://proxy.example:3128",
    "token_url": "https://tokens.example/token",
}


class Asked(dict[str, Any]):
    """Remembers which keys it was asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)


def _account(extra: dict[str, Any]) -> Account:
    said = json.dumps(extra)
    conn = Connection(conn_id="o", conn_type="aspose_ocr", login="i", password="the-secret", extra=said)
    return connection.account_of(conn)


def test_it_is_what_airflow_s_schema_asks_for() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_the_schema_refuses_something() -> None:
    """So that the test above can fail."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**INFO, "connection-types": [{"connection-type": 3}]}, schema)


def test_the_package_name_is_the_distribution_s() -> None:
    (entry,) = (
        entry
        for entry in metadata.entry_points(group="apache_airflow_provider")
        if entry.value.startswith("airflow_provider_asposeocr")
    )
    assert entry.dist is not None
    assert entry.dist.name == INFO["package-name"] == "airflow-provider-asposeocr"
    assert entry.load() is get_provider_info


def test_the_package_name_is_the_project_s() -> None:
    """What is installed may be older than what is about to be built."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert project["name"] == INFO["package-name"]
    assert project["entry-points"]["apache_airflow_provider"] == {
        "provider_info": f"{get_provider_info.__module__}:{get_provider_info.__name__}"
    }


def test_it_is_json() -> None:
    assert json.loads(json.dumps(INFO)) == INFO


@pytest.mark.parametrize("module", list(_modules(INFO)))
def test_every_module_named_imports(module: str) -> None:
    importlib.import_module(module)


def test_every_module_with_a_class_is_named() -> None:
    for kind, folder in (
        ("hooks", "hooks"),
        ("operators", "operators"),
        ("sensors", "sensors"),
        ("triggers", "triggers"),
    ):
        modules = (PACKAGE / folder).glob("*.py")
        files = {path.stem for path in modules if "\nclass AsposeOcr" in path.read_text(encoding="utf-8")}
        assert {module.rsplit(".", 1)[1] for module in _modules(INFO[kind])} == files


class TestConnectionType:
    (TYPE,) = INFO["connection-types"]

    def test_it_is_the_hook_s(self) -> None:
        module, _, name = self.TYPE["hook-class-name"].rpartition(".")
        assert getattr(importlib.import_module(module), name) is AsposeOcrHook
        assert self.TYPE["connection-type"] == AsposeOcrHook.conn_type
        assert self.TYPE["hook-name"] == AsposeOcrHook.hook_name

    def test_airflow_makes_the_hook_of_a_connection_and_can_test_it(self) -> None:
        made = Connection(conn_id="of_airflow", conn_type="aspose_ocr").get_hook()
        assert isinstance(made, AsposeOcrHook)
        assert getattr(made, AsposeOcrHook.conn_name_attr) == "of_airflow"
        assert getattr(AsposeOcrHook(), AsposeOcrHook.conn_name_attr) == AsposeOcrHook.default_conn_name
        providers = ProvidersManagerTaskRuntime()
        info = providers.hooks["aspose_ocr"]
        assert info is not None
        assert (info.hook_name, info.package_name) == (AsposeOcrHook.hook_name, INFO["package-name"])
        assert info.connection_id_attribute_name == AsposeOcrHook.conn_name_attr
        assert info.connection_testable

    @pytest.mark.parametrize("name", CONN_FIELDS)
    def test_a_field_of_the_form_changes_the_account(self, name: str) -> None:
        value = OTHER_VALUES[name]
        jsonschema.validate(value, CONN_FIELDS[name]["schema"])
        assert _account({name: value}) != _account({})

    def test_nothing_is_read_that_the_form_does_not_offer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = Asked(OTHER_VALUES)
        monkeypatch.setattr(connection, "_extras", lambda _: extra)
        _account({})
        assert extra.names == set(CONN_FIELDS)

    def test_the_form_says_the_defaults(self) -> None:
        plain = _account({})
        numbers = ("connect_timeout_seconds", "request_timeout_seconds")
        for name in (*numbers, "max_requests_per_second", "max_connections"):
            assert f"; {getattr(plain, name):g} by default." in CONN_FIELDS[name]["description"]
        assert CONN_FIELDS["evaluation_mode"]["schema"]["default"] is plain.trial

    @pytest.mark.parametrize("name", CONN_FIELDS)
    def test_a_field_may_be_left_empty_and_has_a_label(self, name: str) -> None:
        field = CONN_FIELDS[name]
        assert field["label"]
        assert field["description"].endswith(".")
        jsonschema.validate(None, field["schema"])
        jsonschema.Draft202012Validator.check_schema(field["schema"])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("request_timeout_seconds", 0),
            ("request_timeout_seconds", -1),
            ("connect_timeout_seconds", "soon"),
            ("max_requests_per_second", 0),
            ("max_connections", 1),
            ("max_connections", 2.5),
            ("evaluation_mode", "perhaps"),
        ],
    )
    def test_a_value_that_makes_no_sense_is_refused_by_the_form(self, name: str, value: Any) -> None:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, CONN_FIELDS[name]["schema"])

    def test_a_proxy_with_a_password_is_hidden_in_the_form(self) -> None:
        assert CONN_FIELDS["proxy"]["schema"]["format"] == "password"


class TestConfiguration:
    OPTIONS = CONFIG[config.SECTION]["options"]
    NUMBERS: ClassVar = [
        name for name, option in CONFIG[config.SECTION]["options"].items() if option["type"] == "float"
    ]

    @pytest.mark.parametrize("name", NUMBERS)
    def test_a_default_is_the_declared_one(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(f"AIRFLOW__ASPOSE_OCR__{name.upper()}", raising=False)
        assert default_seconds(name) == float(self.OPTIONS[name]["default"])

    @pytest.mark.parametrize("name", NUMBERS)
    def test_it_can_be_set_and_is_read_when_it_is_needed(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"AIRFLOW__ASPOSE_OCR__{name.upper()}", "12.5")
        assert default_seconds(name) == 12.5

    def test_a_text_can_be_set_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "installation" not in self.NUMBERS
        assert config.default_text("installation") == ""
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__INSTALLATION", "north")
        assert config.default_text("installation") == "north"

    def test_a_yes_or_no_can_be_set_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.OPTIONS["previews"]["type"] == "boolean"
        assert config.default_flag("previews") is False
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__PREVIEWS", "True")
        assert config.default_flag("previews") is True

    def test_airflow_knows_the_section(self) -> None:
        assert conf.getfloat("aspose_ocr", "timeout_seconds", fallback=3600.0) == 3600.0

    def test_an_option_that_is_not_declared_is_a_mistake(self) -> None:
        with pytest.raises(KeyError):
            default_seconds("no_such_option")

    def test_options_used_are_those_declared(self) -> None:
        sources = "\n".join(
            path.read_text() for path in PACKAGE.rglob("*.py") if "emulator" not in path.parts
        )
        sources = sources.replace((PACKAGE / "get_provider_info.py").read_text(), "")
        for name in self.OPTIONS.keys() - Cadence.__dataclass_fields__.keys():
            assert f'"{name}"' in sources, f"nothing reads {name}"

    @pytest.mark.parametrize("name", Cadence.__dataclass_fields__)
    def test_each_part_of_a_cadence_is_an_option(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        assert name in self.OPTIONS
        monkeypatch.setenv(f"AIRFLOW__ASPOSE_OCR__{name.upper()}", "7.5")
        assert getattr(WaitParameters().cadence(), name) == 7.5

    def test_only_declared_options_are_read(self) -> None:
        sources = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
        used = set(re.findall(r'default_(?:seconds|number|text|flag)\("(\w+)"\)', sources))
        assert used <= set(self.OPTIONS)
