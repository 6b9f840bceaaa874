"""
Open the file system of a path or URI, as Airflow's ``ObjectStoragePath``.

Invariant: the opened file is the one that the path names. The module refuses a URI if Airflow or a storage library would
silently ignore a part of it (a version, a line break), and a connection that does not exist, before anything is billed.

Airflow imports the file systems of all installed providers when it opens the first one, which takes seconds. Therefore this
module attaches the file system of the path's own scheme to Airflow's store, so that Airflow imports no other.
"""

from __future__ import annotations

import importlib
import inspect
import logging
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.io import attach

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import AirflowNotFoundException

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

#: Schemes of local paths; a path without a scheme is one, too.
LOCAL = frozenset({"", "file", "local"})

_AMAZON = ("airflow.providers.amazon.aws.fs.s3", "apache-airflow-providers-amazon[s3fs]")
_GOOGLE = ("airflow.providers.google.cloud.fs.gcs", "apache-airflow-providers-google")
_AZURE = ("airflow.providers.microsoft.azure.fs.adls", "apache-airflow-providers-microsoft-azure")
_GRAPH = ("airflow.providers.microsoft.azure.fs.msgraph", "apache-airflow-providers-microsoft-azure")
_SFTP = ("airflow.providers.sftp.fs.sftp", "apache-airflow-providers-sftp[sshfs]")
#: Module and package of the file systems in Airflow's own providers, by scheme. docs/operators.md has the same table.
PROVIDERS = {
    **dict.fromkeys(("s3", "s3a", "s3n"), _AMAZON),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "adl"), _AZURE),
    **dict.fromkeys(("msgraph", "sharepoint", "onedrive", "msgd"), _GRAPH),
    **dict.fromkeys(("sftp", "ssh"), _SFTP),
}
#: Schemes of other tools, and Airflow's scheme for the same storage.
_SYNONYMS = {"az": "abfs", "wasb": "abfs", "wasbs": "abfs"}
#: The notations for a version of an object in a URI.
_VERSION_MARKS = ("?versionId=", "?versionid=", "?generation=", "#")
_WEB = frozenset({"http", "https"})


class UnusablePathError(ValueError):
    """A path or URI cannot be opened as it is written. Retrying cannot succeed."""


def object_path(uri: str) -> ObjectStoragePath:
    """
    Return the path that a URI names, with its file system attached.

    :param uri: Absolute path or URI; the part before ``@`` is the id of an Airflow connection.
    :return: The path. Nothing has been read or written yet.
    :raises UnusablePathError: if the URI cannot be opened as written: the file system is not installed, the connection does
        not exist, or the storage library would ignore a part of the name.
    """
    scheme, conn_id = check_form(uri)
    store = attach(scheme or "file", conn_id)
    if "fs" not in vars(store):
        store.fs = _file_system(scheme, conn_id)
    path = ObjectStoragePath(uri)
    check_nothing_dropped(uri, path)
    return path


def fresh_path(uri: str) -> ObjectStoragePath:
    """
    Return the path that a URI names, with a file system that was made now.

    A process that lives for weeks needs this: file systems keep the credentials and connections with which they were made.

    :param uri: As for :func:`object_path`.
    :return: The path. Later calls of :func:`object_path` use the same file system.
    :raises UnusablePathError: as :func:`object_path`.
    """
    scheme, conn_id = check_form(uri)
    store = attach(scheme or "file", conn_id)
    old = vars(store).pop("fs", None)
    if old is not None and scheme not in LOCAL:
        # fsspec would return the same object for the same credentials, with its broken connections.
        type(old).clear_instance_cache()
    return object_path(uri)


def check_form(uri: str) -> tuple[str, str | None]:
    """
    Check the form of a URI without opening anything.

    :param uri: Absolute path or URI.
    :return: The scheme and the connection id; both may be missing.
    :raises UnusablePathError: if Airflow does not support the form, or would open another path.
    """
    if not {"\n", "\r", "\t"}.isdisjoint(uri):
        raise UnusablePathError(
            "its name contains a line break or a tab, and Airflow opens the name without it; rename the file"
        )
    if any("\ud800" <= char <= "\udfff" for char in uri):
        raise UnusablePathError(
            "its name contains bytes that are no text, and Airflow cannot hand it on to another task; rename the file"
        )
    parts = urlsplit(uri)
    userinfo, _, host = parts.netloc.rpartition("@")
    if parts.scheme in LOCAL and parts.scheme and not parts.path.startswith("/"):
        raise UnusablePathError(
            f"a local URI begins with three slashes, as in {parts.scheme}:///data/page.png"
        )
    if parts.scheme in LOCAL and parts.scheme and parts.path.startswith("//"):
        raise UnusablePathError(
            f"after four slashes, Airflow takes the rest for a path within the worker's own folder; write three, "
            f"{parts.scheme}:///{shown(parts.path.lstrip('/'), 200)}"
        )
    if parts.scheme in LOCAL and parts.scheme and host:
        raise UnusablePathError(
            f"a local URI names no host; for the folder /{shown(host, 80)} write three slashes, "
            f"{parts.scheme}:///{shown(host + parts.path, 200)}"
        )
    if parts.scheme in ("abfs", "abfss", "adl") and "." in host:
        _refuse_portal_form(parts.scheme, userinfo, host, parts.path)
    return parts.scheme, userinfo or None


def _refuse_portal_form(scheme: str, container: str, host: str, path: str) -> None:
    """Refuse ``container@account.dfs.core.windows.net``, because Airflow would use the container as a connection id."""
    if not container:
        container, _, path = path.lstrip("/").partition("/")
    example = shown(f"{scheme}://my_connection@{container}/{path.lstrip('/')}", 200)
    raise UnusablePathError(
        f"this is the form of Azure's portal. Airflow wants the id of a connection before the @ and the container after "
        f"it: {example}, where my_connection is an Airflow connection to the account {shown(host.split('.')[0], 80)}"
    )


def _file_system(scheme: str, conn_id: str | None) -> Any:
    """Make the file system of a scheme without importing other file systems."""
    if scheme in LOCAL:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()
    make = _maker(scheme)
    if conn_id is not None:
        _check_connection(scheme, conn_id)
    try:
        # Older providers do not accept storage options.
        fs = make(conn_id) if len(inspect.signature(make).parameters) == 1 else make(conn_id, {})
    except ImportError as error:
        raise _not_installed(scheme, error) from error
    if PROVIDERS.get(scheme) is _AMAZON:
        _read_times_quickly(fs)
    return fs


def _read_times_quickly(fs: Any) -> None:
    """
    Let s3fs read the times of a listing with the standard library.

    botocore guesses the form of each time, which takes more CPU than the rest of the listing, and holds the GIL.
    """
    session = getattr(fs, "session", None)
    if session is None:  # Another provider's file system for the scheme may have none.
        return
    from botocore.utils import parse_timestamp

    def parse(value: Any) -> datetime:
        # Only the form of listings, with its time zone; all others are left to botocore.
        if isinstance(value, str) and value[10:11] == "T" and value.endswith("Z"):
            with suppress(ValueError):
                return datetime.fromisoformat(value)
        return cast("datetime", parse_timestamp(value))

    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse)


def _maker(scheme: str) -> Callable[..., Any]:
    """Return the function that makes the file systems of a scheme."""
    module_name, _ = PROVIDERS.get(scheme, ("", ""))
    official = {module for module, _ in PROVIDERS.values()}
    declared = _declared_modules()
    # A provider that this module does not know may define any scheme, and has priority over Airflow's own providers.
    for name in [name for name in declared if name not in official or name == module_name][::-1]:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            if name == module_name:
                raise _not_installed(scheme, error) from error
            log.warning("The file system %s cannot be imported: %s", name, shown(error))
            continue
        if scheme in getattr(module, "schemes", ()):
            return module.get_fs  # type: ignore[no-any-return]  # a function by Airflow's convention
    raise _not_installed(scheme, None)


@cache
def _declared_modules() -> tuple[str, ...]:
    """List the modules in which installed providers define file systems, without importing them."""
    found: list[str] = []
    for entry in entry_points(group="apache_airflow_provider"):
        try:
            found += entry.load()().get("filesystems", ())
        except Exception as error:  # A broken provider may raise any exception.
            log.warning("The provider %s cannot be read: %s", entry.name, shown(error))
    official = {module for module, _ in PROVIDERS.values()}
    return tuple(sorted(found, key=lambda name: name not in official))


def _not_installed(scheme: str, error: ImportError | None) -> UnusablePathError:
    if scheme in PROVIDERS:
        package, cause = PROVIDERS[scheme][1], f" ({shown(error, 200)})" if error else ""
        return UnusablePathError(
            f"{scheme}:// needs the package {package}, which this worker lacks or has only in part{cause}. "
            f"Run pip install '{package}' on all workers and restart them"
        )
    if scheme in _WEB:
        hint = "Download the file first, or name it in its storage, for example s3://my_connection@bucket/page.png"
    elif scheme in _SYNONYMS:
        hint = f"Write {_SYNONYMS[scheme]}:// instead"
    else:
        hint = "Install the provider that has it on all workers and restart them"
    return UnusablePathError(f"No installed provider has a file system for {shown(scheme, 60)}://. {hint}")


def _check_connection(scheme: str, conn_id: str) -> None:
    """Refuse a connection that does not exist, because for S3 Airflow would continue without credentials."""
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        # Other tools expect an access key and its secret there. Airflow's own error would show both.
        user, colon, _ = conn_id.partition(":")
        named = f"{shown(user, 200)}{colon and ':***'}"
        raise UnusablePathError(
            f"there is no Airflow connection {named!r}. The part of a {scheme} URI before the @ is the id of the "
            "connection to its storage"
        ) from None


def check_nothing_dropped(uri: str, path: ObjectStoragePath) -> None:
    """
    Check that a storage library opens the object that a URI names, also if the URI contains ``?`` or ``#``.

    :param uri: The URI that the user wrote.
    :param path: The path of that URI.
    :raises UnusablePathError: if another file would be opened.
    """
    if {"?", "#"}.isdisjoint(uri):
        return
    if path.protocol in LOCAL:
        opened = path.path
        complete = opened.rstrip("/").rpartition("/")[2] == uri.rstrip("/").rpartition("/")[2]
    else:
        opened, complete = _opened(uri, path)
    if not complete:
        raise UnusablePathError(
            f"{shown(opened, 200)!r} would be opened instead, because the storage library drops what follows the ? or #. It "
            "cannot read a certain version of an object: leave the version off, or copy it to a name of its own"
        )


def has_version(path: ObjectStoragePath) -> bool:
    """
    Return whether a file system interprets the end of a path as a version of the object.

    :param path: The path, see :func:`object_path`.
    """
    split_path = getattr(path.fs, "split_path", None)
    return split_path is not None and any(split_path(path.path)[2:])


def _opened(uri: str, path: ObjectStoragePath) -> tuple[str, bool]:
    """Return the object that a storage library opens, and whether the URI names the same object."""
    authority, slash, rest = uri.partition("://")[2].partition("/")
    written = f"{authority.rpartition('@')[2]}{slash}{rest}".strip("/")
    split_path = getattr(path.fs, "split_path", None)
    if split_path is None:
        opened = path.fs._strip_protocol(path.path).strip("/")
        return opened, written.endswith(opened)
    bucket, key, *version = split_path(path.path)
    opened = f"{bucket}/{key}".strip("/")
    # A file system that supports versions returns them separately from the key.
    versions = [f"{mark}{version[0]}" for mark in _VERSION_MARKS] if any(version) else [""]
    return opened, any(written == f"{opened}{ending}" for ending in versions)
