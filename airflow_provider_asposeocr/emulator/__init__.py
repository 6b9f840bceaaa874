"""Aspose.OCR Cloud v5 on your own machine; start it with ``python -m airflow_provider_asposeocr.emulator``."""
