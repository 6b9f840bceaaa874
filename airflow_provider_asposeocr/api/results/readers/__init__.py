"""
Readers of results: bytes in, data out. They know no Airflow and no storage.

Invariant: a result is untrusted. A reader gives data or raises a :class:`.ReaderError`; it takes memory in proportion
to what it returns, follows no entity, and reads no structure that is nested without limit.
"""

from __future__ import annotations
