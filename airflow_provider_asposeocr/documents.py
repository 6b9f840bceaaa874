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
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_asposeocr.file_systems import LOCAL
from airflow_provider_asposeocr.uploads import PROTOCOLS as _S3

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Where a question mark begins a query and what stands before an @ is a user. Elsewhere both belong to keys and to
#: Airflow's connections.
_WEB = frozenset({"http", "https", "ftp"})
_GS = frozenset({"gs", "gcs"})
_ALIASES = dict.fromkeys(_S3, "s3") | dict.fromkeys(_GS, "gs") | dict.fromkeys(("abfss", "az", "adl"), "abfs")
#: Parameters of presigned URLs and of Azure's shared access signatures. They differ each time, and are secrets.
_SIGNATURE = re.compile(
    r"(x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|signature|expires|token"
    r"|sig|sv|se|sp|sr|st|spr|srt|ss|sip|skoid|sktid|skt|ske|sks|skv)",
    re.IGNORECASE,
)
_SIGNED_QUERY = re.compile(r"\?(?=.*(x-(amz|goog)-signature|signature|sig)=).*", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"\?versionId=[^?&]*$")
_GENERATION = re.compile(r"#[0-9]+$")


def source_uri(uri: str) -> str:
    """
    Return the URI of a document without what is secret or changes from one request to the next.

    :param uri: A path or URI that a source was given as.
    :return: The same file: the Airflow connection is kept (``s3://my_conn@bucket/key``); a password, a query, a
        version and a signature are cut off. Where a query names the document, its checksum stands in its place.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or scheme.lower() in LOCAL:
        return uri
    scheme = scheme.lower()
    if scheme in _WEB:
        return _web(uri)
    host, slash, key = rest.partition("/")
    user, _, bare = host.rpartition("@")
    if ":" in user:  # A name and a password; the id of a connection stays.
        host = bare
    key = _SIGNED_QUERY.sub("", key)
    if scheme in _S3:
        key = _VERSION.sub("", key)
    elif scheme in _GS:
        key = _GENERATION.sub("", key)
    return f"{scheme}://{host}{slash}{key}"


def _web(uri: str) -> str:
    parts = urlsplit(uri)
    query = parse_qsl(parts.query, keep_blank_values=True)
    naming = urlencode([(name, value) for name, value in query if not _SIGNATURE.fullmatch(name)])
    named = f"#query-{hashlib.sha256(naming.encode()).hexdigest()[:16]}" if naming else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{named}"


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
        may have one name; for other storages the connection. For a file in the local temporary folder the checksum:
        each pod has such a folder of its own, and names there are used again. ``None`` where the URI says it all.
    """
    if path.protocol in LOCAL:
        in_temporary_folder = os.path.realpath(path.path).startswith(
            os.path.realpath(tempfile.gettempdir()) + os.sep
        )
        return f"sha256:{sha256}" if in_temporary_folder else None
    if path.protocol in _WEB or path.protocol in _GS:
        return None
    if path.protocol in _S3:
        endpoint = getattr(path.fs, "endpoint_url", None)
        host = urlsplit(endpoint).netloc.rpartition("@")[2] if isinstance(endpoint, str) else ""
        return None if not host or re.search(r"\.amazonaws\.com(\.cn)?(:\d+)?$", host) else host
    account = getattr(path.fs, "account_name", None)
    return account if isinstance(account, str) and account else path.conn_id
