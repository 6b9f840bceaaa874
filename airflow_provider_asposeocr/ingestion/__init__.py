"""
Ingestion: new files of a folder go through a batch once.

Invariant: importing the package opens nothing, and a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox

__all__ = ["AsposeOcrInbox"]

#: The modules of the names.
_MODULES = {"AsposeOcrInbox": "inbox"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
