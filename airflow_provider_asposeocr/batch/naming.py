"""
Names of a batch's results: which file below the destination each document's results go to.

Invariant: for any name of a source, its results are inside of the destination, and two documents never get one name. Both
are checked before anything is sent. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.files.filetypes import (
    LONGEST_SUFFIX_BYTES,
    safe_name,
    safe_stem,
)
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import LOCAL
from airflow_provider_asposeocr.documents.uris import same_place, source_name

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence

    from airflow_provider_asposeocr.batch.plan import ListedSource, Names
    from airflow_provider_asposeocr.batch.steps import Step

#: What object stores take for the key of an object (S3, Google Cloud Storage and Azure Blob document 1,024 bytes or
#: characters), and Linux for a path.
LONGEST_KEY_BYTES = 1024
LONGEST_PATH_BYTES = 4095


def common_folder(uris: Sequence[str]) -> str | None:
    """
    Return the folder in which all sources lie.

    :param uris: Absolute paths or URIs.
    :return: The folder, spelled as the first source is; ``None`` if they lie in several.
    """
    folders = {same_place(folder_of(uri)) for uri in uris}
    return folder_of(uris[0]) if len(folders) == 1 else None


def folder_of(uri: str) -> str:
    """
    Return the folder that a file lies in.

    :param uri: Absolute path or URI.
    :return: The same with everything after the last slash cut off; of a bucket the bucket.
    """
    scheme, mark, rest = uri.partition("://")
    if mark and "/" not in rest:
        return f"{uri}/"
    return uri.rpartition("/")[0] + "/"


def make_names(sources: Sequence[ListedSource], base: str | None, names: Names) -> list[str]:
    """
    Name the results of each document, below the destination and without the suffix of a result's type.

    :param sources: The sources, in order.
    :param base: URI of a folder, with a slash at its end. With ``names="path"`` the path of a source below it is the
        name. ``None`` = the sources lie in several folders, and no ``base`` was given.
    :param names: ``path``: the path below ``base``, the file name whole (``2026/page.png``); ``stem``: the file name
        without the suffix of a document (``page``), directly in the destination, as the fetch operator names files. A
        stem that the list gives is taken in both.
    :return: A name for each source. Characters that file systems and storage libraries treat in a special way are replaced,
        and a checksum then keeps names apart.
    :raises InputError: if a source does not lie below ``base``, or ``base`` is not known.
    """
    below = None if base is None else same_place(base)
    return [source.file_stem or _name(source.uri, below, names) for source in sources]


def _name(uri: str, below: str | None, names: Names) -> str:
    if names == "stem":
        stem = safe_stem(source_name(uri))
        if stem is None:
            raise InputError(
                f"The source {shown(uri, 300)!r} has no name of which a file's name can be made. Give it one with "
                "file_stem in a list of sources."
            )
        return stem
    if below is None:
        raise InputError(
            "The sources lie in several folders, and names='path' names results by the path below one of them. Set base to "
            "the folder that they have in common, give each source a file_stem, or set names='stem'."
        )
    place = same_place(uri)
    if not place.startswith(below):
        raise InputError(
            f"The source {shown(uri, 300)!r} does not lie in the folder {shown(below, 300)!r}, below which "
            "names='path' names results. Set base to a folder that all sources lie in."
        )
    return "/".join(safe_name(part) for part in place.removeprefix(below).split("/"))


def check_names(
    sources: Sequence[ListedSource],
    file_stems: Sequence[str],
    destination: str,
    step: Step,
) -> None:
    """
    Refuse names that would lose a result, before anything is sent.

    :param sources: The sources, in order.
    :param file_stems: The names of their results.
    :param destination: URI of a folder, with a slash at its end.
    :param step: The last step, for the number of its results and what they end in. Where its settings do not say that,
        all counts that the operation can make.
    :raises InputError: if two sources could be written to one file or one's file could be another's folder, if a result
        could be written over a source, or if a name is longer than its storage takes. The message names the sources.
    """
    _check_twins(sources, file_stems, destination, step)
    _check_folders(sources, file_stems, step)
    _check_overwritten(sources, file_stems, destination, step)
    longest = max(range(len(file_stems)), key=lambda index: len(file_stems[index].encode()), default=None)
    if longest is not None:
        check_length(sources[longest].uri, destination + file_stems[longest])


def _stems_of_files(file_stem: str, step: Step) -> Iterator[str]:
    """Name the files of a document without suffixes: several results of one type are numbered, one of them is not."""
    yield file_stem
    if step.results_per_type > 1:
        yield from (f"{file_stem}-{number}" for number in range(1, step.results_per_type + 1))


def _check_twins(
    sources: Sequence[ListedSource], file_stems: Sequence[str], destination: str, step: Step
) -> None:
    first: dict[str, int] = {}
    twins: dict[tuple[int, int], str] = {}
    for index, file_stem in enumerate(file_stems):
        for stem in _stems_of_files(file_stem, step):
            other = first.setdefault(stem, index)
            if other != index:
                twins.setdefault((other, index), stem)
    if not twins:
        return
    pair, stem = next(iter(twins.items()))
    one, two = (sources[index].uri for index in pair)
    more = f" So are {len(twins) - 1} more pairs." if len(twins) > 1 else ""
    if same_place(one) == same_place(two):
        raise InputError(
            f"The source {shown(one, 300)!r} is listed twice, as number {pair[0] + 1} and {pair[1] + 1}; it "
            f"would be billed twice.{more} List each document once."
        )
    target = f"{destination}{stem}{(step.suffixes or ('',))[0]}"
    raise InputError(
        f"The results of two sources would be written to one file, {shown(target, 300)!r}: {shown(one, 300)!r} and "
        f"{shown(two, 300)!r}.{more} Use names='path', which keeps folders and suffixes of the sources in the names, "
        "or give each source a file_stem in a list of sources."
    )


def _check_folders(sources: Sequence[ListedSource], file_stems: Sequence[str], step: Step) -> None:
    """Refuse ``scan`` (written to ``scan.txt``) beside ``scan.txt/page.png``: a file cannot be a folder, too."""
    folders: dict[str, int] = {}
    for index, stem in enumerate(file_stems):
        for place, char in enumerate(stem):
            if char == "/":
                folders.setdefault(stem[:place], index)
    for index, file_stem in enumerate(file_stems if folders else ()):
        for name in names_of_files(file_stem, step):
            inside = folders.get(name)
            if inside is not None:
                raise InputError(
                    f"The result of {shown(sources[index].uri, 300)!r} would be the file "
                    f"{shown(name, 200)!r}, and that of {shown(sources[inside].uri, 300)!r} would lie in a "
                    f"folder of that name.{_unsaid(step)} Give one of them a file_stem."
                )


def names_of_files(file_stem: str, step: Step) -> Iterator[str]:
    """
    Name the files that a document may become.

    :param file_stem: Name of its results below the destination, without suffixes.
    :param step: The last step.
    :return: The names of all files that the step's settings allow, numbered ones among them.
    """
    for stem in _stems_of_files(file_stem, step):
        yield from (stem + suffix for suffix in step.possible_suffixes)


def _unsaid(step: Step) -> str:
    """Return the words that explain a name which the settings neither promise nor exclude."""
    if step.suffixes is not None:
        return ""
    return f" The settings of {step.operation} do not say which results it makes: set {step.type_setting}."


def _check_overwritten(
    sources: Sequence[ListedSource], file_stems: Sequence[str], destination: str, step: Step
) -> None:
    folder = same_place(destination)
    places = {same_place(source.uri): index for index, source in enumerate(sources)}
    if not any(place.startswith(folder) for place in places):
        return
    for index, file_stem in enumerate(file_stems):
        for name in names_of_files(file_stem, step):
            hit = places.get(f"{folder}{name}")
            if hit is not None:
                raise InputError(
                    f"The result of {shown(sources[index].uri, 300)!r} would be written over the source "
                    f"{shown(sources[hit].uri, 300)!r}.{_unsaid(step)} Choose another destination."
                )


def check_length(source: str, target: str) -> None:
    """
    Refuse a name that is longer than its storage takes.

    :param source: The source, for the message.
    :param target: URI of the result without the suffix of a type.
    :raises InputError: if it is too long with the longest suffix.
    """
    scheme, mark, rest = target.partition("://")
    is_local = not mark or scheme in LOCAL
    key = rest if mark and is_local else rest.partition("/")[2] if mark else target
    size, most = (
        len(key.encode()) + LONGEST_SUFFIX_BYTES,
        LONGEST_PATH_BYTES if is_local else LONGEST_KEY_BYTES,
    )
    if size > most:
        raise InputError(
            f"The name of the result of {shown(source, 200)!r} would have {size} bytes, and its storage takes {most}: "
            f"{shown(target, 200)!r}. Choose a destination with a shorter name, or give the source a file_stem."
        )


def check_not_listed(
    file_stems: Sequence[str],
    destination: str,
    step: Step,
    base: str,
    pattern: re.Pattern[str],
) -> None:
    """
    Refuse results that the next run would list as sources.

    :param file_stems: The names of the results.
    :param destination: URI of a folder, with a slash at its end.
    :param step: The last step, for the number of its results and what they end in.
    :param base: URI of the folder that was listed, with a slash at its end.
    :param pattern: What the listed files match below it.
    :raises InputError: if a result would be listed.
    """
    folder, listed = same_place(destination), same_place(base)
    if not folder.startswith(listed):
        return
    for file_stem in file_stems:
        for name in names_of_files(file_stem, step):
            below = f"{folder}{name}".removeprefix(listed)
            if pattern.match(below) and not any(is_hidden(part) for part in below.split("/")):
                raise InputError(
                    f"The destination {shown(destination, 300)!r} lies in the folder of the sources, "
                    f"{shown(base, 300)!r}, and the next run would take results for sources, for example "
                    f"{shown(below, 200)!r}. Choose a destination outside of it, or one whose name begins with _, "
                    "which listings skip."
                )


def check_outside(folder: str | None, what: str, listed: str) -> None:
    """
    Refuse a folder whose files the next run would list as sources.

    :param folder: URI of the folder; ``None`` = there is none.
    :param what: Name of the parameter.
    :param listed: URI of the folder that was listed.
    :raises InputError: if it lies in that folder, and listings do not skip it.
    """
    if folder is None:
        return
    place, root = same_place(folder), same_place(listed)
    if place.startswith(root) and not any(
        is_hidden(part) for part in place.removeprefix(root).split("/") if part
    ):
        raise InputError(
            f"The {what} {shown(folder, 300)!r} lies in the folder of the sources, {shown(listed, 300)!r}, and the next "
            "run would take its files for sources. Choose a folder outside of it, or one whose name begins with _, which "
            "listings skip."
        )


def is_hidden(name: str) -> bool:
    """
    Tell whether listings of sources skip a file or a folder.

    :param name: Its name, without folders.
    :return: Whether the name begins with a dot or an underscore, as those of unfinished and of internal files do.
    """
    return name.startswith("_") or is_internal(name)


def is_internal(name: str) -> bool:
    """
    Tell whether a file or a folder is not a result, by its name alone.

    :param name: Its name, without folders.
    :return: Whether the name begins with a dot, which :func:`make_names` gives to no result.
    """
    return name.startswith(".")


def is_name(file_stem: str) -> bool:
    """
    Tell whether a text can be the name of results below a destination.

    :param file_stem: The text, perhaps from a manifest that was changed.
    :return: Whether it is what :func:`make_names` makes: no part of it is empty, hidden, ``..`` or otherwise hostile.
    """
    return all(safe_name(part) == part for part in file_stem.split("/"))
