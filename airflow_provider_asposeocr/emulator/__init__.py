"""
The emulator: a server on your own machine in place of Aspose.OCR Cloud v5.

Start it with ``python -m airflow_provider_asposeocr.emulator``.

Invariant: the client and the emulator share no code that reads or writes requests. The emulator imports from the client only
the table of operations, the vocabularies and the kinds of files. Only code for tests imports the emulator.
"""

from __future__ import annotations
