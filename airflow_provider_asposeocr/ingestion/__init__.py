"""
Ingestion: new files of a folder go through a batch once.

Invariant: importing the package opens nothing, and a name is loaded when it is first used.
"""

from __future__ import annotations
