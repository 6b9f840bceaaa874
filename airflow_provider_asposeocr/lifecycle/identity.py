"""What makes two submits the same; known before a source is read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from airflow_provider_asposeocr.api.responses import OperationName


def digest(value: Any) -> str:
    """
    Fingerprint a value that does not belong into the metadata database.

    :param value: Anything; what JSON does not know counts as its text.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Identity(BaseModel):
    """
    What is submitted: two submits with the same identity would make the same result.

    :param operation: The cloud's operation, perhaps one that only a newer version knows.
    :param source: URI of the source, or the upstream cloud task.
    :param version: What the storage says about the file (ETag, size, time); ``None`` where it does not say anything.
    :param settings: Fingerprint of the settings.
    :param account: Fingerprint of the account.
    """

    model_config = ConfigDict(frozen=True)

    operation: OperationName
    source: str
    version: str | None
    settings: str
    account: str

    def differs_in(self, other: Identity) -> list[str]:
        """
        Name what has changed.

        :param other: The identity of an earlier submit.
        :return: Names of fields. A version that is not known, for example because the file is gone, is no change.
        """
        changed = [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
        if None in (self.version, other.version) and "version" in changed:
            changed.remove("version")
        return changed
