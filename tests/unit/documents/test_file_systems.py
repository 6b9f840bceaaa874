from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.documents.file_systems import PROVIDERS, UnusablePathError, object_path
from tests.support.object_stores import Versioned, attached

DOCS = Path(__file__).parents[3] / "docs"


def attach_versioned(protocol: str, *, mark: str = "?versionId=", aware: bool = False) -> None:
    store = attached(protocol, "versions", kind=Versioned)
    store.mark, store.version_aware = mark, aware


class TestForm:
    @pytest.mark.parametrize("name", ["a\nb.png", "a\tb.png", "b.png\n", "\rb.png"])
    @pytest.mark.parametrize("folder", ["/scans/", "file:///scans/", "s3://conn@bucket/"])
    def test_a_name_with_a_line_break_is_refused_because_airflow_drops_it(
        self, folder: str, name: str
    ) -> None:
        with pytest.raises(UnusablePathError, match="contains a line break or a tab"):
            object_path(f"{folder}{name}")

    @pytest.mark.parametrize("folder", ["/scans/", "file:///scans/", "s3://conn@bucket/"])
    def test_a_name_that_is_no_text_is_refused_because_airflow_cannot_hand_it_on(self, folder: str) -> None:
        """The cloud would have billed the document before Airflow failed to store its task reference."""
        with pytest.raises(UnusablePathError, match="bytes that are no text"):
            object_path(f"{folder}page-\udcff.png")

    @pytest.mark.parametrize(
        ("uri", "said"),
        [
            ("file://scans/page.png", "file:///scans/page.png"),
            ("local://scans/page.png", "local:///scans/page.png"),
            ("file:page.png", "three slashes"),
            ("file:////scans/page.png", "file:///scans/page.png"),  # else below the worker's own folder
            ("local:////scans/out/", "local:///scans/out/"),
        ],
    )
    def test_a_local_uri_names_no_host(self, uri: str, said: str) -> None:
        with pytest.raises(UnusablePathError) as caught:
            object_path(uri)
        assert said in str(caught.value)

    @pytest.mark.parametrize(
        "uri",
        [
            "abfss://scans@account.dfs.core.windows.net/2026/page.png",
            "abfs://scans@account.blob.core.windows.net/2026/page.png",
            "abfss://account.dfs.core.windows.net/scans/2026/page.png",
        ],
    )
    def test_the_form_of_azure_s_portal_is_answered_with_airflow_s(self, uri: str) -> None:
        with pytest.raises(UnusablePathError) as caught:
            object_path(uri)
        scheme = uri.partition(":")[0]
        assert f"{scheme}://my_connection@scans/2026/page.png" in str(caught.value)
        assert "account account" in str(caught.value)


class TestInstallation:
    @pytest.mark.parametrize(
        ("uri", "package"),
        [
            ("s3://bucket/page.png", "apache-airflow-providers-amazon[s3fs]"),
            ("gs://bucket/page.png", "apache-airflow-providers-google"),
            ("abfss://container/page.png", "apache-airflow-providers-microsoft-azure"),
            ("sftp://conn@/page.png", "apache-airflow-providers-sftp[sshfs]"),
        ],
    )
    def test_a_missing_package_is_named(self, uri: str, package: str) -> None:
        if package.partition("[")[0] in _installed():
            pytest.skip(f"{package} is installed here")
        with pytest.raises(UnusablePathError) as caught:
            object_path(uri)
        assert f"pip install '{package}' on all workers and restart them" in str(caught.value)

    @pytest.mark.parametrize(
        ("uri", "said"),
        [
            ("nope://bucket/x", "file system for nope://"),
            ("https://host/x.png", "Download the file first"),
            ("wasbs://c@bucket/x", "Write abfs:// instead"),
            ("az://bucket/x", "Write abfs:// instead"),
        ],
    )
    def test_an_unknown_scheme_says_what_else(self, uri: str, said: str) -> None:
        with pytest.raises(UnusablePathError, match=said):
            object_path(uri)

    def test_the_docs_name_every_scheme_and_its_package(self) -> None:
        text = (DOCS / "operators.md").read_text()
        for scheme, (_, package) in PROVIDERS.items():
            assert f"`{scheme}`" in text
            assert f"`{package}`" in text


def _installed() -> set[str]:
    from importlib.metadata import distributions

    return {distribution.metadata["Name"] for distribution in distributions()}


class TestNothingDropped:
    @pytest.mark.parametrize(
        ("protocol", "mark", "uri"),
        [
            ("s3", "?versionId=", "s3://versions@bucket/page.png?versionId=OLD"),
            ("s3", "?versionId=", "s3://versions@bucket/a/page?versionId=.png"),
            ("abfs", "?versionid=", "abfs://versions@bucket/page.png?versionid=2026"),
            ("gs", "#", "gs://versions@bucket/page.png#1712"),
            ("gs", "#", "gs://versions@bucket/page.png?"),
            ("gs", "#", "gs://versions@bucket/page.png#"),
        ],
    )
    def test_a_version_that_the_library_would_drop_is_refused(
        self, protocol: str, mark: str, uri: str
    ) -> None:
        attach_versioned(protocol, mark=mark)
        with pytest.raises(
            UnusablePathError, match="'bucket/.*' would be opened instead.*leave the version off"
        ):
            object_path(uri)

    @pytest.mark.parametrize("folder", ["/data/a?b/", "file:///data/a#b/", "s3://versions@bucket/a?b/"])
    def test_so_is_a_folder(self, folder: str) -> None:
        attach_versioned("s3")
        assert str(object_path(folder) / "page.txt") == f"{folder}page.txt"

    @pytest.mark.parametrize("name", ["page.png?", "page.png#", "page.png?#"])
    @pytest.mark.parametrize("prefix", ["", "file://"])
    def test_an_empty_query_is_no_other_local_file(self, tmp_path: Path, prefix: str, name: str) -> None:
        (tmp_path / "page.png").write_bytes(b"another")
        with pytest.raises(UnusablePathError, match="would be opened instead"):
            object_path(f"{prefix}{tmp_path}/{name}")

    @pytest.mark.parametrize(
        ("protocol", "mark", "uri"),
        [
            ("s3", "?versionId=", "s3://versions@bucket/page.png?versionId=OLD"),
            ("gs", "#", "gs://versions@bucket/page.png#1712"),
        ],
    )
    def test_a_version_that_the_library_honours_is_taken(self, protocol: str, mark: str, uri: str) -> None:
        attach_versioned(protocol, mark=mark, aware=True)
        assert object_path(uri).path == uri.partition("@")[2]

    @pytest.mark.parametrize(
        "name",
        ["a?b.png", "a#b.png", "a%20b.png", "a+b.png", "a?.png", "a&b=c.png", "a?versionid=1", "x//a?b", "a?b#c"],
    )  # fmt: skip
    def test_a_key_that_contains_these_characters_is_taken(self, name: str) -> None:
        attach_versioned("s3")
        assert object_path(f"s3://versions@bucket/{name}").path == f"bucket/{name}"

    @pytest.mark.parametrize(
        "name", ["a?b.png", "a#b.png", "a%20b.png", "a?versionId=1", "a#1", "a b ", "é.png"]
    )
    @pytest.mark.parametrize("prefix", ["", "file://"])
    def test_so_is_a_local_name(self, tmp_path: Path, prefix: str, name: str) -> None:
        (tmp_path / name).write_bytes(b"content")
        assert object_path(f"{prefix}{tmp_path}/{name}").read_bytes() == b"content"


#: A provider whose file system takes long to import, as those of the clouds do. Its import is seen in ``sys.modules``.
_FILE_SYSTEM = """
from fsspec.implementations.memory import MemoryFileSystem
schemes = {schemes!r}
def get_fs(conn_id, storage_options=None):
    return MemoryFileSystem()
"""


@pytest.fixture
def providers(tmp_path: Path) -> Path:
    """A folder with stand-ins for the providers of Amazon and Google and with one of another company."""
    site = tmp_path / "site"
    modules = {
        "airflow.providers.amazon.aws.fs.s3": ["s3"],
        "airflow.providers.google.cloud.fs.gcs": ["gs"],
        "company.fs": ["dbfs"],
    }
    for name, schemes in modules.items():
        file = site.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_FILE_SYSTEM.format(schemes=schemes))
    (site / "company" / "assets.py").write_text("def create_asset(): pass")
    (site / "stand_ins.py").write_text(
        f"def info(): return {{'package-name': 'stand-ins', 'name': 's', 'description': 'd', 'versions': ['1.0.0'], "
        f"'filesystems': {list(modules)}, "
        "'asset-uris': [{'schemes': ['company'], 'handler': None, 'factory': 'company.assets.create_asset'}]}"
    )
    metadata = site / "stand_ins-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-ins\nVersion: 1.0.0\n")
    (metadata / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = stand_ins:info\n")
    return site


def in_a_worker(providers: Path, statement: str, **environment: str) -> Any:
    """What a statement leaves in ``result`` in a fresh process, and the modules that it loaded."""
    script = (
        "import json, sys\n"
        # As every task has: it looks for listeners, and loads the plugins for that.
        "try: from airflow.sdk.listener import get_listener_manager\n"
        "except ImportError: from airflow.listeners.listener import get_listener_manager\n"
        "get_listener_manager()\n"
        "import airflow.sdk.execution_time.task_runner, airflow_provider_asposeocr.documents.sources\n"
        "import airflow_provider_asposeocr.documents.destinations\n"
        "from airflow.sdk import ObjectStoragePath\n"
        "before, result = set(sys.modules), None\n"
        f"{statement}\n"
        "print(json.dumps([result, sorted(set(sys.modules) - before)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(providers), **environment},
    )
    assert done.returncode == 0, done.stderr
    result, loaded = json.loads(done.stdout.splitlines()[-1])
    return (
        result,
        {name for name in loaded if "fs.s3" in name or "fs.gcs" in name or "company" in name},
        set(loaded),
    )


_READER = """
from airflow.plugins_manager import AirflowPlugin
try:
    from airflow.sdk.lineage import HookLineageReader
except ImportError:
    from airflow.lineage.hook import HookLineageReader

class Reader(AirflowPlugin):
    name = "reader"
    hook_lineage_readers = [HookLineageReader]
"""

READ = """
from airflow_provider_asposeocr.documents.file_systems import object_path
try:
    path = object_path({uri!r})
    result = str(path.fs.exists(path.path))
except Exception as error:
    result = f"{{type(error).__name__}}: {{error}}"
"""


class TestImports:
    def test_airflow_itself_imports_all_of_them(self, providers: Path) -> None:
        """Without this, the next tests would prove nothing."""
        _, ours, _ = in_a_worker(providers, "ObjectStoragePath('/etc').fs")
        assert {name.rpartition(".")[2] for name in ours} == {"s3", "gcs", "company", "fs"} - {"company"} | {
            "company"
        }

    def test_a_local_file_imports_none_and_hardly_anything_else(
        self, providers: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "page.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        statement = f"""
from pathlib import Path
from airflow_provider_asposeocr.documents import file_systems, sources, stored_files
from airflow_provider_asposeocr.api.operations import OPERATIONS
for number, prefix in enumerate(["", "file://", "local://"]):
    source = prefix + {str(tmp_path / "page.png")!r}
    sources.identity_of(source)
    sources.spool(source, OPERATIONS["RecognizeImage"], Path({str(tmp_path)!r}), None, 0.0)
    folder = file_systems.object_path(prefix + {str(tmp_path)!r} + "/out/")
    stored_files.Writer().write(Path({str(tmp_path)!r}, "source"), folder / f"{{number}}.png")
"""
        _, ours, loaded = in_a_worker(providers, statement)
        assert len(list((tmp_path / "out").iterdir())) == 3
        assert ours == set()
        # What UPath knows of local files; the file systems and asset handlers of the providers are hundreds.
        assert len(loaded) < 20, sorted(loaded)

    @pytest.mark.parametrize(
        ("scheme", "module"), [("s3", "amazon.aws.fs.s3"), ("gs", "google.cloud.fs.gcs")]
    )
    def test_a_scheme_imports_its_own(self, providers: Path, scheme: str, module: str) -> None:
        result, ours, _ = in_a_worker(providers, READ.format(uri=f"{scheme}://bucket/page.png"))
        assert result == "False"
        # A company's own provider may define any scheme, and only its import tells which.
        assert ours == {f"airflow.providers.{module}", "company", "company.fs"}

    def test_a_provider_that_is_not_airflow_s_is_found(self, providers: Path) -> None:
        result, ours, _ = in_a_worker(providers, READ.format(uri="dbfs://bucket/page.png"))
        assert (result, ours) == ("False", {"company", "company.fs"})

    def test_a_scheme_that_a_company_took_over_is_the_company_s(self, providers: Path) -> None:
        (providers / "company" / "fs.py").write_text(_FILE_SYSTEM.format(schemes=["s3"]))
        _, ours, _ = in_a_worker(providers, READ.format(uri="s3://bucket/page.png"))
        assert ours == {"company", "company.fs"}

    def test_a_connection_that_does_not_exist_is_refused(self, providers: Path) -> None:
        result, _, _ = in_a_worker(providers, READ.format(uri="s3://nowhere@bucket/page.png"))
        assert result.startswith("UnusablePathError: there is no Airflow connection 'nowhere'")

    def test_an_access_key_in_its_place_is_not_shown_with_its_secret(self, providers: Path) -> None:
        result, _, _ = in_a_worker(providers, READ.format(uri="s3://AKIA:s3cr3t@bucket/page.png"))
        assert "there is no Airflow connection 'AKIA:***'" in result
        assert "s3cr3t" not in result

    def test_one_that_exists_is_taken(self, providers: Path) -> None:
        uri = "s3://scans@bucket/page.png"
        result, _, _ = in_a_worker(providers, READ.format(uri=uri), AIRFLOW_CONN_SCANS='{"conn_type": "aws"}')
        assert result == "False"
