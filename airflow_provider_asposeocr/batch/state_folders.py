"""
Which state folders have the manifests that say who made the files of a destination.

Invariant: a batch whose state folder does not lie in its destination says so there before it sends anything. So a
process that finds one of its results also finds the manifest that names the source.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.folder_listing import find_files
from airflow_provider_asposeocr.documents.atomic_create import read_many, replace
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER, parse_folder
from airflow_provider_asposeocr.documents.storage_errors import storage_errors
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.documents.versions import changed_at

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

#: Folder of the names of other state folders, below the one that a destination has by default.
ELSEWHERE = "elsewhere/"
#: State folders that are asked about one destination. Each costs a listing.
MOST_STATE_FOLDERS = 10


def name_state_folder(destination: str, state: str) -> None:
    """
    Say in a destination where the manifests of its files are, unless they are in the default folder. Blocks.

    :param destination: URI of the folder of the results, with a slash at its end.
    :param state: URI of the state folder, with a slash at its end.
    :raises StorageError: if the destination does not take it; nothing was sent.
    """
    own = f"{destination}{STATE_FOLDER}"
    if same_place(state) == same_place(own):
        return
    name = hashlib.sha256(same_place(state).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    text = (
        f"The destination {shown(destination, 300)!r} cannot be written, where the batch says that its state folder is "
        f"{shown(state, 300)!r}"
    )
    with storage_errors(text, billed="no"):
        replace(object_path(f"{own}{ELSEWHERE}{name}.json"), json.dumps({"state": state}).encode())


def state_folders(folder: str) -> Iterator[str]:
    """
    Return the state folders that may say who made the files of a folder. Blocks.

    :param folder: URI of the folder, with a slash at its end.
    :return: The one that it has by default, then those that batches have named in it, the one of the latest batch first,
        with a slash at their end; at most :data:`MOST_STATE_FOLDERS` in all.
    """
    own = f"{folder}{STATE_FOLDER}"
    yield own
    try:
        named = find_files(f"{own}{ELSEWHERE}")
    except (FileNotFoundError, NotADirectoryError):
        return
    # Each batch writes the name anew, so a folder that is in use is a new one.
    names = sorted(named, key=lambda name: (-changed_at(named[name]), name))[: MOST_STATE_FOLDERS - 1]
    for content in read_many([object_path(f"{own}{ELSEWHERE}{name}") for name in names]):
        try:
            # Who may write here may write anything: it is only ever asked for manifests.
            yield parse_folder(json.loads(content or b"")["state"], "state")
        except (ValueError, KeyError, TypeError, InputError) as error:
            log.info("A file below %s names no state folder: %s", shown(own, 300), shown(error))
