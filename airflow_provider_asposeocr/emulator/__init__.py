"""
Aspose.OCR Cloud v5 on your own machine; start it with ``python -m airflow_provider_asposeocr.emulator``.

Invariant: it is the other side of the wire. The client imports nothing of it but what tests start it with, and it nothing of
the client but the cloud's words.
"""

from __future__ import annotations
