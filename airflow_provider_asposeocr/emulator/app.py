"""
The emulator as one ASGI application: the cloud's paths, the control API, and the pages about the emulator.

The work queue starts and stops with the application. When the application ends, it removes all files that it does not keep.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from airflow_provider_asposeocr import __version__
from airflow_provider_asposeocr.emulator.cloud.routes import Cloud
from airflow_provider_asposeocr.emulator.control import about, api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.emulator.emulation import Emulation


def create_app(emulation: Emulation) -> FastAPI:
    """
    Make the application.

    :param emulation: The state of the emulator. Its temporary files are removed when the application ends.
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
        title=about.TITLE,
        version=__version__,
        description=api.DESCRIPTION,
        lifespan=lifespan,
        openapi_url=about.OPENAPI_PATH,
        # FastAPI's own pages load their scripts from other servers.
        docs_url=None,
        redoc_url=None,
    )
    app.state.emulation = emulation
    # Not with include_router, which makes each route once more.
    app.router.routes += [*about.ROUTER.routes, *api.ROUTER.routes]
    app.mount("/", Cloud(emulation))
    return app
