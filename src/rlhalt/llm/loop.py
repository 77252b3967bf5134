"""An event loop in a thread of its own: plain code, several threads and other loops can use what runs on it alike."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines until it is closed."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether nothing can be started any more."""
        return self._closing

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start work; `.result()` waits for it, on another loop `asyncio.wrap_future` does.

        Raises:
            concurrent.futures.CancelledError: the loop is closed.
        """
        with self._gate:
            if not self._closing:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise concurrent.futures.CancelledError

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """End what is under way, then do the `last` work, then end. Closing twice does nothing."""
        with self._gate:
            already, self._closing = self._closing, True
        if already:
            last.close()
            return

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
