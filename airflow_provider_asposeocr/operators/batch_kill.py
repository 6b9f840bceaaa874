"""
End one try of a batch whose worker process was told to end.

A signal handler only schedules :func:`end_engine` in the event loop of the try, because that loop has the client, its
connections and its token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.batch.engine import BatchEngine

log = logging.getLogger(__name__)

# Airflow ends the process five seconds after the signal; the sum of these must be shorter.
#: How long a killed try waits for Airflow to say whether the cloud tasks are to be cancelled.
ASK_SECONDS = 1.0
#: How long the cancels may take after that.
KILL_SECONDS = 3.0
#: After that the engine has this time to close what is open.
LAST_SECONDS = 0.5


async def end_engine(engine: BatchEngine, working: asyncio.Task[Any], is_over: Callable[[], bool]) -> None:
    """
    Stop an engine within the time that a killed process has.

    :param engine: The engine.
    :param working: Its :meth:`.BatchEngine.run`, which is cancelled in the end.
    :param is_over: Tells whether the running cloud tasks are to be cancelled; it blocks, because it asks Airflow.
    """
    engine.hold()  # Submits until Airflow has answered could be billed for results that are not used.
    cancel = await _is_to_be_cancelled(is_over)
    stopped = await engine.stop(cancel=cancel, seconds=KILL_SECONDS)
    if cancel:
        log.warning(
            "The batch was killed: %d cloud tasks were cancelled, %d may still run.",
            stopped.cancelled,
            stopped.left,
        )
    else:
        log.warning(
            "The worker process ends and leaves %d cloud tasks running. A retry continues with them.",
            stopped.left,
        )
    await asyncio.wait((working,), timeout=LAST_SECONDS)
    # There is no time to wait for running requests. The journal has all that a later try needs.
    working.cancel()


async def _is_to_be_cancelled(is_over: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await _asked(is_over)
    except TimeoutError:
        log.warning(
            "Airflow has not said within %g seconds whether the cloud tasks are to be cancelled, so none is cancelled.",
            ASK_SECONDS,
        )
        return False


async def _asked(question: Callable[[], bool]) -> bool:
    """Ask Airflow in a thread of its own: an event loop that ends waits for the threads of asyncio without a limit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def tell(said: bool | BaseException) -> None:
        if answer.done():
            return
        if isinstance(said, BaseException):
            answer.set_exception(said)
        else:
            answer.set_result(said)

    def ask() -> None:
        said: bool | BaseException
        try:
            said = question()
        except BaseException as error:  # The caller gets the error.
            said = error
        # The event loop has ended if the answer comes too late.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, said)

    threading.Thread(target=ask, name="aspose-ocr-ask", daemon=True).start()
    return await answer
