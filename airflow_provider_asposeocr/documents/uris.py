"""
The identity of a source document: its URI, and a qualifier that distinguishes documents with equal URIs.

Invariant: the URI and the qualifier contain no password and no signature, because they are stored in XCom and in files
beside the results.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import tempfile
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_asposeocr.compat import connection_of
from airflow_provider_asposeocr.documents.file_systems import LOCAL, UnusablePathError, object_path

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Schemes in which a question mark begins a query, and the text before an @ is a user. In other schemes a question mark is
#: part of the key, and the text before an @ is the id of an Airflow connection.
_WEB = frozenset({"http", "https", "ftp"})
#: Schemes of S3.
S3 = frozenset({"s3", "s3a", "s3n"})
_GS = frozenset({"gs", "gcs"})
_ALIASES = dict.fromkeys(S3, "s3") | dict.fromkeys(_GS, "gs") | dict.fromkeys(("abfss", "az", "adl"), "abfs")
#: Parameters of presigned URLs and of Azure's shared access signatures. They are secrets, and differ in each URL.
_SIGNATURE = re.compile(
    r"(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|signature|expires|token"
    r"|sig|sv|se|sp|sr|st|spr|srt|ss|sip|skoid|sktid|skt|ske|sks|skv)",
    re.IGNORECASE,
)
_SIGNED_QUERY = re.compile(r"\?(?=.*(x-(amz|goog)-signature|signature|sig)=).*", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"(\?(versionId|versionid|generation)=[^?&]*|#[0-9]+)$")
#: Folders whose files are identified by their content, in addition to TMPDIR, because upstream code may have another TMPDIR.
_SCRATCH_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # compared, never written to


def source_uri(uri: str, *, has_version: bool = False) -> str:
    """
    Return the URI of a document without secrets and without parts that differ between requests.

    :param uri: Path or URI of a source.
    :param has_version: Whether the file system interprets the end of the URI as a version. If not, ``invoice#1`` and
        ``invoice#2`` are two documents.
    :return: URI of the same file. It contains the Airflow connection (``s3://my_conn@bucket/key``), but no password, query,
        version or signature. If a query may identify the document, it is replaced by its checksum.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme.lower() in LOCAL:
        return uri
    if is_web(uri):
        return _web(uri)
    scheme = scheme.lower()
    host, slash, key = rest.partition("/")
    user, _, bare = host.rpartition("@")
    if ":" in user:  # A user and a password. The id of a connection contains no colon, and is kept.
        host = bare
    if has_version:
        key = _VERSION.sub("", key)
    # For an object store, the text after a question mark is part of the name.
    key = _SIGNED_QUERY.sub(lambda signed: _checksum_of_query(signed[0]), key)
    return f"{scheme}://{host}{slash}{key}"


def _web(uri: str) -> str:
    parts = urlsplit(uri)
    query = parse_qsl(parts.query, keep_blank_values=True)
    naming = urlencode([(name, value) for name, value in query if not _SIGNATURE.fullmatch(name)])
    named = _checksum_of_query(naming) if naming else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{named}"


def _checksum_of_query(query: str) -> str:
    return f"#query-{hashlib.sha256(os.fsencode(query)).hexdigest()[:16]}"


# A batch asks for it at each step of a document, and a path takes longer than the rest of it.
@lru_cache(maxsize=1024)
def source_name(uri: str) -> str:
    """
    Return the name of a document without its folders.

    :param uri: Path or URI of a source.
    :return: Its last part; for a web address without the query, which may contain a signature. Empty if there is none.
    """
    if is_web(uri):
        uri = re.split(r"[?#]", uri.partition("://")[2].partition("/")[2], maxsplit=1)[0]
    return PurePosixPath(uri).name


def is_web(uri: str) -> bool:
    """
    Return whether a URI is a web address, whose query may identify a document and may contain a signature.

    :param uri: Path or URI of a source.
    """
    scheme, mark, _ = uri.partition("://")
    return bool(mark) and scheme.lower() in _WEB


def canonical_uri(uri: str) -> str:
    """
    Return the same URI for all spellings of a document's URI.

    :param uri: Result of :func:`source_uri`.
    :return: The URI without Airflow's connection, with one scheme per kind of storage; a local path as ``file://``.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme in LOCAL:
        path = posixpath.normpath(rest if mark else uri)
        return f"file://{path.replace('//', '/', 1) if path.startswith('//') else path}"
    host, slash, key = rest.partition("/")
    return f"{_ALIASES.get(scheme, scheme)}://{host.rpartition('@')[2]}{slash}{key}"


def same_place(uri: str) -> str:
    """
    Spell a URI in one way, however a user spells it.

    :param uri: Absolute path or URI; with a slash at its end it is a folder.
    :return: Without connection, password and signature; a folder keeps its slash.
    """
    spelled = canonical_uri(source_uri(uri))
    return f"{spelled}/" if uri.endswith("/") and not spelled.endswith("/") else spelled


def reachable(uri: str, near: str) -> str:
    """
    Spell a URI that was written down earlier so that it can be opened, if its connection has another name now.

    :param uri: The URI.
    :param near: A URI of today, of which the connection is taken if it is in the same bucket.
    :return: The same place. If its connection is there, the URI is returned as it is: two connections may lead to two
        servers, each with a bucket of that name.
    """
    try:
        object_path(uri)
    except UnusablePathError:
        scheme, mark, rest = uri.partition("://")
        connection, at, _ = near.partition("://")[2].partition("/")[0].rpartition("@")
        if mark and _bucket_of(near) == _bucket_of(uri):
            host, slash, key = rest.partition("/")
            return f"{scheme}://{connection}{at}{host.rpartition('@')[2]}{slash}{key}"
    return uri


def _bucket_of(uri: str) -> tuple[str, str]:
    scheme, _, rest = same_place(uri).partition("://")
    return scheme, rest.lstrip("/").partition("/")[0]


def qualifier_of(path: ObjectStoragePath, sha256: str) -> str | None:
    """
    Return the qualifier that distinguishes documents whose URIs are equal without their connections.

    :param path: The document.
    :param sha256: Checksum of its content, in hex.
    :return: For S3 the endpoint, if it is not Amazon's. For Azure the account, because containers of two accounts may
        have the same name. For a file in a local temporary folder the checksum, because each pod has such folders, and
        names there are used again. For other storages the connection. ``None`` if the URI alone identifies the document.
    """
    if path.protocol in LOCAL:
        is_scratch = os.path.realpath(path.path).startswith(_scratch_prefixes(tempfile.gettempdir()))
        return f"sha256:{sha256}" if is_scratch else None
    if path.protocol in _WEB or path.protocol in _GS:
        return None
    if path.protocol in S3:
        endpoint = getattr(path.fs, "endpoint_url", None)
        host = urlsplit(endpoint).netloc.rpartition("@")[2] if isinstance(endpoint, str) else ""
        return None if not host or re.search(r"\.amazonaws\.com(\.cn)?(:\d+)?$", host) else host
    account = getattr(path.fs, "account_name", None)
    return account if isinstance(account, str) and account else connection_of(path)


@cache
def _scratch_prefixes(temporary: str) -> tuple[str, ...]:
    """Return what the paths in scratch folders begin with. Resolved once: a batch asks for each of its documents."""
    return tuple(os.path.realpath(folder) + os.sep for folder in (temporary, *_SCRATCH_FOLDERS))
