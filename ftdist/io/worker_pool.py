"""Work for all cores, its results in the order of the tasks, whatever becomes of a process."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def processes_for(asked: int) -> int:
    """How many processes to start; 0 asks for one a core."""
    return asked or len(os.sched_getaffinity(0))


def in_order(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int,
    if_it_dies: Callable[[Task], Result],
    again: bool = True,
) -> Iterator[Result]:
    """Results of `work` on each task, in the order of the tasks, as they become ready.

    A process that dies (a file broke a reader's native code) takes no other task with it: what was
    under way is done again alone, and the task that dies once more gets `if_it_dies`. When the
    last result is there, or an error ends it, no process is left and nothing that one held.

    Args:
        work: a function of a module; it and the tasks are pickled.
        tasks: each independent of the others.
        processes: how many at once.
        if_it_dies: what stands in for a result.
        again: whether a task is tried once more before.
    """
    spawn = multiprocessing.get_context("spawn")
    done, others = 0, multiprocessing.active_children()
    while done < len(tasks):
        pool = ProcessPoolExecutor(
            max_workers=min(processes, len(tasks) - done),
            mp_context=spawn,
            initializer=_begin,
        )
        try:
            ahead: deque[Future[Result]] = deque(pool.submit(work, task) for task in tasks[done:])
            while ahead:
                result = ahead.popleft().result()
                done += 1
                if not ahead:
                    pool.shutdown()  # who takes the last one may never come back
                yield result
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            task = tasks[done]
            yield _alone(work, task, if_it_dies=if_it_dies) if again else if_it_dies(task)
            done += 1
        except BaseException:
            for process in multiprocessing.active_children():
                if process not in others:
                    process.kill()  # the interpreter's end would wait for what it does
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _alone(
    work: Callable[[Task], Result], task: Task, *, if_it_dies: Callable[[Task], Result]
) -> Result:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn, initializer=_begin) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return if_it_dies(task)


def _begin() -> None:
    _tokenise_alone()
    _end_with_parent()


def _tokenise_alone() -> None:
    """Have tokenizers use one thread in this process: there is one a core already.

    One of its own, which its memory is taken from: without any it takes a third longer.
    """
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "true"}


def _end_with_parent() -> None:
    """End this process when the one that started it does, in whatever way that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)  # the executor's queue would keep it waiting for ever

    threading.Thread(target=wait, daemon=True).start()
