"""Result types of a recognition."""

from __future__ import annotations

#: Each ``resultType`` that both tests of it run, with the types of its results, in their order.
FORMATS = [
    ("Text", ["Text"]),
    ("Pdf", ["Pdf"]),
    ("Hocr", ["Hocr"]),
    ("JSON", ["JSON"]),
    ("TextAndPdf", ["Text", "Pdf"]),
    ("TextAndHocr", ["Text", "Hocr"]),
    ("PdfAndHocr", ["Pdf", "Hocr"]),
    ("TextAndPdfAndHocr", ["Text", "Pdf", "Hocr"]),
]
