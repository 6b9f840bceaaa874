"""
The emulator as one ASGI application: the cloud's paths, and the control API beside them.

Invariant: the work queue runs as long as the application does, and its files are gone when it ends.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from airflow_provider_asposeocr.emulator.cloud import Cloud
from airflow_provider_asposeocr.emulator.control_api import control_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.emulator.emulation import Emulation


def create_app(emulation: Emulation) -> FastAPI:
    """
    Make the application.

    :param emulation: The state it acts on; its files are removed when the application ends.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await emulation.queue.start()
        try:
            yield
        finally:
            await emulation.queue.stop()
            emulation.close()

    app = FastAPI(
        title="Aspose.OCR Cloud emulator", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.include_router(control_router(emulation))
    app.mount("/", Cloud(emulation))
    return app
