"""Work on a Ray cluster: jobs go to Ray Data's actors, rows come back as jobs are done.

Ray Data starts the actors, gives each the next job, and starts one that was killed again, with the job it had. What a
job is, and that a row which is there already is not written twice, is the stage's to know.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from rlhalt.errors import InputError, RlhaltError

if TYPE_CHECKING:
    from pyarrow import Table

J = TypeVar("J")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process has joined, see `join`.

    Attributes:
        workers: actors that work at once.
        gpu: whether each holds a GPU; else each holds a CPU.
    """

    workers: int
    gpu: bool = False

    def each(self, make: Callable[[], Callable[[J], Iterable[R]]], jobs: Iterable[J]) -> Iterator[R]:
        """The rows of all jobs; those of a job come together, and jobs in the order in which they are done.

        Jobs wait in Ray's object store, which spills to disk. What Ray notes down about each job, some 50 KiB, stays in
        the memory of this process.

        Args:
            make: makes what does a job, once in each actor. It, jobs and rows are pickled.
            jobs: each is begun again where the actor that had it was killed.

        Raises:
            RlhaltError, OSError: what stopped a job, after the rows that were done before it.
            InputError: nothing came for as long as Ray Data waits.
        """
        import ray
        from ray.data.exceptions import ExecutionTimeoutError

        # A job is a block of one row, and so a task of its own.
        blocks = [ray.put(_packed(job)) for job in jobs]
        if not blocks:
            return
        done = ray.data.from_arrow_refs(blocks).map_batches(
            _Actor,
            fn_constructor_args=[make],
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(blocks))),
            num_gpus=1 if self.gpu else None,
            num_cpus=None if self.gpu else 1,
        )
        try:
            # Nothing is fetched ahead: a result that is here can be written.
            for block in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                rows, stopped = _unpacked(block)
                yield from rows
                if stopped is not None:
                    raise stopped
        except ExecutionTimeoutError as error:
            raise InputError(
                f"no worker has finished anything: {error} Ray begins a job again whenever its worker dies; where its "
                "logs say that workers died, they may need more memory (fewer --workers); where the work is slow, "
                "RAY_DATA_EXECUTION_NO_PROGRESS_TIMEOUT_S says how many seconds to wait",
                field="engine",
            ) from None


def join(workers: int | None = None, *, gpu: bool = False) -> Cluster:
    """The cluster at RAY_ADDRESS, or the one that runs on this machine; where there is none, one is started here.

    Args:
        workers: how many actors; one for each GPU or CPU of the cluster if not given.
        gpu: whether each is to have a GPU, where the cluster has any.

    Raises:
        InputError: Ray is not installed, or there are more workers than GPUs or CPUs.
        ConnectionError: there is no cluster at RAY_ADDRESS.
    """
    if not importlib.util.find_spec("ray"):
        raise InputError("Ray is not installed here: pip install 'rlhalt[ray]'", field="engine")
    import ray
    import ray.data

    if not ray.is_initialized():
        # What stops a job comes back with it; what else workers say is in Ray's own log.
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    # Progress is shown by the stage, in rows.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    there = ray.cluster_resources()
    gpu = gpu and there.get("GPU", 0) >= 1
    most = int(there.get("GPU" if gpu else "CPU", 0))
    if workers is None:
        workers = most
    if not 1 <= workers <= most:
        one = "GPU" if gpu else "CPU"
        raise InputError(
            f"expected 1 to {most} workers, one for each {one} of the cluster, found {workers}", field="workers"
        )
    return Cluster(workers, gpu)


class _Actor:
    """What Ray Data runs: a packed job in, its rows and what stopped it out."""

    def __init__(self, make: Callable[[], Callable[[Any], Iterable[object]]]) -> None:
        self._make = make
        self._work: Callable[[Any], Iterable[object]] | None = None

    def __call__(self, block: Table) -> Table:
        rows: list[object] = []
        stopped: RlhaltError | OSError | None = None
        try:
            # Not in `__init__`: what stops it there Ray would tell, in its own words.
            if self._work is None:
                self._work = self._make()
            for row in self._work(_unpacked(block)):
                rows.append(row)
        except RlhaltError as error:
            stopped = error
        except OSError as error:
            # Not every library's subclass can be pickled.
            stopped = OSError(str(error))
        return _packed((rows, stopped))


def _packed(value: object) -> Table:
    # As columns of Arrow's own types, dictionaries would get each other's keys.
    import pyarrow

    return pyarrow.table({"pickled": [pickle.dumps(value)]})


def _unpacked(block: Table) -> Any:
    return pickle.loads(block["pickled"][0].as_py())
