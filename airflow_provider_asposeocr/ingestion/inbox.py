"""
An inbox: a folder in which new files are to be read once.

Invariant: an inbox is a plain value. Constructing it opens nothing, and two inboxes with the same arguments are equal, also
in several DAG files.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import re
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import InputError, shown_at
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.templates import has_template
from airflow_provider_asposeocr.documents.folders import parse_folder
from airflow_provider_asposeocr.documents.uris import canonical_uri, same_place, source_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Asset, AssetWatcher


#: PDF documents and the images that the cloud reads, without SVG, which is rarely a scan.
PATTERN = "*.{pdf,png,jpg,jpeg,jpe,jfif,tif,tiff,bmp,gif}"
#: Names of files that other programs are still writing.
IGNORE = ("*.part", "*.partial", "*.tmp", "*.temp", "~*", "*.filepart", "*.crdownload", "*.download")
#: Stores that show a file only when it is there as a whole.
_WHOLE = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "adl"})
#: How long a file of another storage must not have changed. Scanners and copies pause for seconds, not for a minute.
QUIET_SECONDS = 60.0
_LONGEST_QUIET_SECONDS = 3600.0
_BRACES = re.compile(r"\{([^{}]*)\}")
_MOST_PATTERNS = 200
#: Module and name of the trigger's class. It is not imported, because its module imports this one.
_TRIGGER = ("airflow_provider_asposeocr.triggers.inbox", "AsposeOcrInboxTrigger")


@dataclass(frozen=True)
class AsposeOcrInbox:
    """
    A folder in which new files are to be read once.

    :param folder: Absolute path or URI of the folder. It may be a template where no watcher is used.
    :param pattern: Which names are documents, with ``*``, ``?``, ``[ab]`` and ``{a,b}``; upper and lower case are equal. By
        default PDF documents and images.
    :param ignore: Names that are left out although they match; by default those of files that are still being written.
        Files and folders whose name begins with a dot or an underscore are left out in any case.
    :param recursive: Whether files in the folders below are read, too. Yes by default.
    :param quiet_seconds: How long a file must have the same size and version, in two listings, before it is read. By default
        0 where stores show whole files only (S3, Google Cloud Storage, Azure Blob), and 60 elsewhere, because a program may
        still be writing it. At most 3,600. Set 0 where all files are renamed into the folder.
    :raises InputError: if the folder is no absolute path or URI, or a pattern cannot match a name.
    :raises ValueError: if ``quiet_seconds`` makes no sense.
    """

    folder: str
    pattern: str = PATTERN
    ignore: tuple[str, ...] = IGNORE
    recursive: bool = True
    quiet_seconds: float | None = None
    _wanted: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _ignored: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _uri: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        with shown_at("parse"):
            folder: Any = self.folder
            if isinstance(folder, PurePath | ObjectStoragePath):
                folder = str(folder)
            if isinstance(folder, str) and folder and not folder.endswith("/"):
                folder = f"{folder}/"
            if not isinstance(folder, str) or not has_template(folder):
                folder = parse_folder(folder, "The folder of the inbox")
            ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
            _check_quiet(self.quiet_seconds)
            fields = {
                "folder": folder,
                "ignore": ignore,
                "_wanted": _compile((self.pattern,), "pattern"),
                "_ignored": _compile(ignore, "ignore"),
                "_uri": same_place(folder),
            }
        for name, value in fields.items():  # Set through ``object``, because the class is frozen.
            object.__setattr__(self, name, value)

    def takes(self, below: str) -> bool:
        """
        Tell whether a file of the folder is a document, by its path alone.

        :param below: The path below the folder.
        """
        # The rule of is_left_out for each part at once: a large inbox has a million names.
        if is_left_out(below) or "/." in below or "/_" in below:
            return False
        name = below.rpartition("/")[2]
        return self._wanted.match(name) is not None and self._ignored.match(name) is None

    @property
    def quiet(self) -> float:
        """How many seconds a file must not have changed; 0 = it is read when it is seen."""
        if self.quiet_seconds is not None:
            return float(self.quiet_seconds)
        return 0.0 if self.folder.partition("://")[0].lower() in _WHOLE else QUIET_SECONDS

    @property
    def uri(self) -> str:
        """URI of the folder without the id of a connection, with a slash at its end."""
        return self._uri

    def place_of(self, uri: str) -> str:
        """
        Spell the URI of a file of the folder as :func:`.same_place` does, in a fraction of its time.

        :param uri: Absolute path or URI, as a listing of the folder has it.
        """
        # What follows a question mark may be a signature.
        return same_place(uri) if "?" in uri else self._uri + uri.removeprefix(self.folder)

    def at(self, folder: str) -> AsposeOcrInbox:
        """
        Return the same inbox with another folder, for a template that was rendered.

        :param folder: The rendered folder.
        """
        return AsposeOcrInbox(folder, self.pattern, self.ignore, self.recursive, self.quiet_seconds)

    def asset(self, watcher: AssetWatcher | None = None) -> Asset:
        """
        Return the asset of the inbox, for the ``schedule`` of a DAG. It is the same for equal inboxes.

        Airflow removes and adds watchers at each parse where an asset of one name has different ones, so name the asset in
        other DAG files by this method, too.

        :param watcher: What wakes the DAG; by default an :class:`.AsposeOcrInboxTrigger` that lists the folder once a
            minute. For more than some 10,000 files, pass a watcher of a queue that the store notifies.
        :raises InputError: if the folder is a template, which a watcher cannot render.
        """
        from airflow.sdk import Asset, AssetWatcher

        if has_template(self.folder):
            with shown_at("parse"):
                raise InputError(
                    f"The folder of the inbox is the template {shown(self.folder, 200)!r}, and a watcher runs without a "
                    "DAG run that could render it. Write the folder out, or schedule the DAG by time only."
                )
        if watcher is None:
            trigger = getattr(importlib.import_module(_TRIGGER[0]), _TRIGGER[1])
            watcher = AssetWatcher("inbox", trigger(**self.to_dict()))
        name = self._asset_uri()
        return Asset(name=name, uri=name, watchers=[watcher])

    def _asset_uri(self) -> str:
        uri = canonical_uri(source_uri(self.folder)).rstrip("/")
        plain = AsposeOcrInbox(self.folder, quiet_seconds=self.quiet_seconds)
        if self == plain:
            return uri
        # Two inboxes in one folder are two assets: an asset has one watcher.
        described = {name: value for name, value in self.to_dict().items() if name != "folder"}
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
        return f"{uri}?inbox={digest[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments that make an equal inbox, as plain JSON; those that have their default are left out."""
        found: dict[str, Any] = {"folder": self.folder}
        if self.pattern != PATTERN:
            found["pattern"] = self.pattern
        if self.ignore != IGNORE:
            found["ignore"] = list(self.ignore)
        if not self.recursive:
            found["recursive"] = False
        if self.quiet_seconds is not None:
            found["quiet_seconds"] = self.quiet_seconds
        return found

    def check_no_loop(self, **folders: str | None) -> None:
        """
        Refuse a folder of results inside of the inbox: the next run would read the results.

        :param folders: URIs by the name of their parameter; templates and ``None`` are not checked.
        :raises InputError: if one lies in the inbox, and listings do not skip it.
        """
        if has_template(self.folder):
            return
        for name, folder in folders.items():
            if folder is None or has_template(folder) or not self._reads(folder):
                continue
            raise InputError(
                f"The {name} {shown(folder, 200)!r} lies in the inbox {shown(self.folder, 200)!r}, so that the next run "
                "would read the results. Choose a folder outside of the inbox, or one whose name begins with an "
                "underscore, which an inbox leaves out."
            )

    def _reads(self, folder: str) -> bool:
        place = same_place(folder if folder.endswith("/") else f"{folder}/")
        if not place.startswith(self.uri):
            return False
        below = place.removeprefix(self.uri).rstrip("/")
        if not below:
            return True
        return self.recursive and not any(map(is_left_out, below.split("/")))


def is_left_out(name: str) -> bool:
    """
    Tell whether an inbox skips a file or folder for any pattern.

    :param name: Its name, without folders.
    :return: Whether it begins with a dot or an underscore, as those of unfinished and of internal files do.
    """
    return name.startswith((".", "_"))


def _check_quiet(seconds: float | None) -> None:
    if seconds is None:
        return
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if not is_number or not 0 <= seconds <= _LONGEST_QUIET_SECONDS:
        raise ValueError(f"quiet_seconds must be from 0 to {_LONGEST_QUIET_SECONDS:g}, not {seconds!r}")


def _compile(patterns: Sequence[str], name: str) -> re.Pattern[str]:
    written: list[str] = []
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern or "/" in pattern:
            raise InputError(
                f"{name} is {shown(repr(pattern), 120)}; it describes names of files, without folders, for example "
                "'*.{pdf,tif}'."
            )
        written += _expand(pattern, name)
    # An empty list of patterns matches no file.
    return re.compile("|".join(map(translate, written)) or r"(?!)", re.IGNORECASE | re.DOTALL)


def _expand(pattern: str, name: str) -> list[str]:
    """Write ``*.{pdf,tif}`` out as ``*.pdf`` and ``*.tif``."""
    waiting, written = [pattern], list[str]()
    while waiting:
        here = waiting.pop()
        braces = _BRACES.search(here)
        if braces is None:
            written.append(here)
        else:
            waiting += [here[: braces.start()] + word + here[braces.end() :] for word in braces[1].split(",")]
        if len(waiting) + len(written) > _MOST_PATTERNS:
            raise InputError(
                f"{name} {shown(pattern, 120)!r} stands for more than {_MOST_PATTERNS} patterns."
            )
    if any("{" in each or "}" in each for each in written):
        raise InputError(f"{name} {shown(pattern, 120)!r} has a brace without its other half.")
    return written
