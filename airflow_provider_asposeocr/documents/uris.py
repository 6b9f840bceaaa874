"""
What tells one source document from another: its URI, and what tells equal URIs apart.

Invariant: what is made here goes into XCom and into files beside the results, so that it carries no password and no
signature.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import tempfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_asposeocr.documents.file_systems import LOCAL

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Where a question mark begins a query and what stands before an @ is a user. Elsewhere both belong to keys and to
#: Airflow's connections.
_WEB = frozenset({"http", "https", "ftp"})
_S3 = frozenset({"s3", "s3a", "s3n"})
_GS = frozenset({"gs", "gcs"})
_ALIASES = dict.fromkeys(_S3, "s3") | dict.fromkeys(_GS, "gs") | dict.fromkeys(("abfss", "az", "adl"), "abfs")
#: Parameters of presigned URLs and of Azure's shared access signatures. They differ each time, and are secrets.
_SIGNATURE = re.compile(
    r"(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|signature|expires|token"
    r"|sig|sv|se|sp|sr|st|spr|srt|ss|sip|skoid|sktid|skt|ske|sks|skv)",
    re.IGNORECASE,
)
_SIGNED_QUERY = re.compile(r"\?(?=.*(x-(amz|goog)-signature|signature|sig)=).*", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"(\?(versionId|versionid|generation)=[^?&]*|#[0-9]+)$")
#: Folders whose files are known by their content, beside the one that TMPDIR names: upstream code may have its own TMPDIR.
_SCRATCH_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # compared, never written to


def source_uri(uri: str, *, has_version: bool = False) -> str:
    """
    Return the URI of a document without what is secret or changes from one request to the next.

    :param uri: A path or URI that a source was given as.
    :param has_version: Whether the file system reads the end of the URI as a version. Elsewhere ``invoice#1`` and
        ``invoice#2`` are two documents.
    :return: The same file: the Airflow connection is kept (``s3://my_conn@bucket/key``); a password, a query, a
        version and a signature are cut off. Where a query may name the document, its checksum stands in its place.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme.lower() in LOCAL:
        return uri
    if is_web(uri):
        return _web(uri)
    scheme = scheme.lower()
    host, slash, key = rest.partition("/")
    user, _, bare = host.rpartition("@")
    if ":" in user:  # A name and a password; the id of a connection stays.
        host = bare
    if has_version:
        key = _VERSION.sub("", key)
    # An object store takes what looks like a query for a part of the name.
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


def source_name(uri: str) -> str:
    """
    Return the name of a document without its folders.

    :param uri: A path or URI that a source was given as.
    :return: The last part of it; of a web address without the query, which may carry a signature. Empty where there
        is none.
    """
    if is_web(uri):
        uri = re.split(r"[?#]", uri.partition("://")[2].partition("/")[2], maxsplit=1)[0]
    return PurePosixPath(uri).name


def is_web(uri: str) -> bool:
    """
    Tell whether a URI is a web address, whose query may name a document and may carry a signature.

    :param uri: A path or URI that a source was given as.
    """
    scheme, mark, _ = uri.partition("://")
    return bool(mark) and scheme.lower() in _WEB


def canonical_uri(uri: str) -> str:
    """
    Spell a document's URI in one way, however a DAG spells it.

    :param uri: What :func:`source_uri` returned.
    :return: Without Airflow's connection, with one name per kind of storage; a local path as ``file://``.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme in LOCAL:
        path = posixpath.normpath(rest if mark else uri)
        return f"file://{path.replace('//', '/', 1) if path.startswith('//') else path}"
    host, slash, key = rest.partition("/")
    return f"{_ALIASES.get(scheme, scheme)}://{host.rpartition('@')[2]}{slash}{key}"


def qualifier_of(path: ObjectStoragePath, sha256: str) -> str | None:
    """
    Return what tells two documents apart whose URIs are equal without their connections.

    :param path: The document.
    :param sha256: Checksum of its content, in hex.
    :return: For S3 the endpoint, where that is not Amazon's; for Azure the account, because containers of two accounts
        may have one name; for other storages the connection. For a file in a local temporary folder the checksum:
        each pod has such folders of its own, and names there are used again. ``None`` where the URI says it all.
    """
    if path.protocol in LOCAL:
        folders = (tempfile.gettempdir(), *_SCRATCH_FOLDERS)
        place = os.path.realpath(path.path)
        is_scratch = any(place.startswith(os.path.realpath(folder) + os.sep) for folder in folders)
        return f"sha256:{sha256}" if is_scratch else None
    if path.protocol in _WEB or path.protocol in _GS:
        return None
    if path.protocol in _S3:
        endpoint = getattr(path.fs, "endpoint_url", None)
        host = urlsplit(endpoint).netloc.rpartition("@")[2] if isinstance(endpoint, str) else ""
        return None if not host or re.search(r"\.amazonaws\.com(\.cn)?(:\d+)?$", host) else host
    account = getattr(path.fs, "account_name", None)
    return account if isinstance(account, str) and account else path.conn_id
