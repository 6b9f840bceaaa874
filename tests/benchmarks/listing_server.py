"""An S3 server that only lists, for benchmarks: it answers with keys that exist in no memory and on no disk."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET = "scans"
#: Keys of a page, as of S3.
PAGE = 1000


def entry(key: str, etag: str, size: int, moment: str = "00:00:00") -> str:
    """
    Return a key as S3 lists it.

    :param key: The key, without characters that XML would escape.
    :param etag: Its ETag, without quotes.
    :param size: Its size in bytes.
    :param moment: Time of its last change, on the first of January 2026.
    """
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T{moment}.000Z</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


class ListingHandler(BaseHTTPRequestHandler):
    """Answers ``ListObjectsV2``; a subclass has :meth:`page`."""

    protocol_version = "HTTP/1.1"

    def page(self, prefix: str, token: int, most: int) -> tuple[Iterable[str], int | None]:
        """
        Return a page of a listing.

        :param prefix: With what the keys begin.
        :param token: That of the page before; 0 for the first page.
        :param most: Most keys of the page, as the request says.
        :return: Its entries, as :func:`entry` makes them, and the token of the next page; ``None`` = there is none.
        """
        raise NotImplementedError

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        prefix = asked.get("prefix", [""])[0]
        most = min(PAGE, int(asked.get("max-keys", [str(PAGE)])[0]))
        entries, token = self.page(prefix, int(asked.get("continuation-token", ["0"])[0]), most)
        listed = list(entries)
        more = "" if token is None else f"<NextContinuationToken>{token}</NextContinuationToken>"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(listed)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(token is not None).lower()}</IsTruncated>{more}{''.join(listed)}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serve_with(handler: type[ListingHandler]) -> None:
    """
    Run the server until it is ended, and print its address.

    :param handler: Answers the requests.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
