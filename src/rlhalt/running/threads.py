"""Work that waits for something else, done in threads: results as they are done, and a quick end."""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

J = TypeVar("J")
R = TypeVar("R")


def as_done(
    work: Callable[[J], R], jobs: Iterable[J], threads: int, abandon: Callable[[], object] = lambda: None
) -> Iterator[R]:
    """Results of `work`, in the order in which they are done, with no more under way than keep the threads busy.

    After an error nothing more is begun; what was under way ends and is given, because it has been paid for, and then
    the error is raised. Where the caller is stopped (Ctrl-C), nothing is waited for.

    Args:
        abandon: ends at once what waits in the threads; called where the caller is stopped.
    """
    errors: list[BaseException] = []
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    waiting: set[concurrent.futures.Future[R]] = set()
    # Waiting for the first of a set looks at all of it every time.
    done: queue.SimpleQueue[concurrent.futures.Future[R]] = queue.SimpleQueue()
    ended = False
    try:
        for job in jobs:
            one = pool.submit(work, job)
            one.add_done_callback(done.put)
            waiting.add(one)
            if len(waiting) >= 2 * threads:
                one = done.get()
                waiting.remove(one)
                yield from _results([one], errors)
            if errors:
                break
        for one in waiting if errors else ():
            one.cancel()
        for one in concurrent.futures.as_completed(waiting):
            yield from _results([one], errors)
        ended = True
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if not ended:
            abandon()
    if errors:
        raise errors[0]


def _results(done: Iterable[concurrent.futures.Future[R]], errors: list[BaseException]) -> Iterator[R]:
    for one in done:
        if one.cancelled():
            continue
        error = one.exception()
        if error is None:
            yield one.result()
        else:
            errors.append(error)
