"""A process pool with ordered results that survives crashes of its workers."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ftdist.io.child_process import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")


def resolve_num_proc(num_proc: int) -> int:
    """The number of processes to start; 0 means one per core."""
    return num_proc or len(os.sched_getaffinity(0))


def map_in_order(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int,
    on_crash: Callable[[Task], Result],
    retry: bool = True,
) -> Iterator[Result]:
    """Results of `work` on each task, in the order of the tasks, as they become ready.

    A worker that crashes (a file broke a reader's native code) does not affect other tasks: its
    task is retried in a process of its own, and gets the result of `on_crash` if it crashes again.
    After the last result, or an error, no worker process is left.

    Args:
        work: a function of a module; it and the tasks are pickled.
        tasks: each independent of the others.
        processes: maximum number of workers.
        on_crash: makes the result of a task whose worker crashed.
        retry: whether a crashed task is tried once more.
    """
    spawn = multiprocessing.get_context("spawn")
    done, others = 0, multiprocessing.active_children()
    while done < len(tasks):
        pool = ProcessPoolExecutor(
            max_workers=min(processes, len(tasks) - done),
            mp_context=spawn,
            initializer=_initialise,
        )
        try:
            ahead: deque[Future[Result]] = deque(pool.submit(work, task) for task in tasks[done:])
            while ahead:
                result = ahead.popleft().result()
                done += 1
                if not ahead:
                    pool.shutdown()  # the caller may never ask for more after the last result
                yield result
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            task = tasks[done]
            yield run_alone(work, task, on_crash=on_crash) if retry else on_crash(task)
            done += 1
        except BaseException:
            for process in multiprocessing.active_children():
                if process not in others:
                    process.kill()  # the interpreter would wait for it at exit
            pool.shutdown(cancel_futures=True)  # else its threads race with the interpreter's exit
            raise


def run_alone(
    work: Callable[[Task], Result], task: Task, *, on_crash: Callable[[Task], Result]
) -> Result:
    """The result of `work` on one task in a process of its own; of `on_crash` if that crashes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn, initializer=_initialise) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return on_crash(task)


def _initialise() -> None:
    _use_one_tokenizer_thread()
    end_with_parent(os.getppid(), number=signal.SIGKILL)  # the queue would block a normal exit


def _use_one_tokenizer_thread() -> None:
    """Have tokenizers use one thread in this process, since there is one process per core.

    One thread of its own: without any, tokenizing takes a third longer.
    """
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "true"}
