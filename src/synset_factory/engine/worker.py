"""What one copy of a model does with its tasks, whichever engine gives them out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
TaskOf = TypeVar("TaskOf", contravariant=True)
Prepared = TypeVar("Prepared")
Computed = TypeVar("Computed")
ResultOf = TypeVar("ResultOf", covariant=True)


class Worker(Protocol[TaskOf, Prepared, Computed, ResultOf]):
    """One copy of a model on one device, which works in three steps."""

    def prepare(self, task: TaskOf, /) -> Prepared:
        """Do what the device is not needed for; many tasks at once, in threads."""

    def compute(self, prepared: Prepared, /) -> Computed:
        """Put the device to work: one task at a time. It need not wait until that is done."""

    def finish(self, computed: Computed, /) -> ResultOf:
        """Wait for the device, and do what remains, in a thread beside the next task's `compute`.

        It may run for several tasks at once.
        """


# Given the model's folder, which with Ray may be a copy on another machine.
MakeWorker = Callable[[Path], Worker[Task, Any, Any, Result]]
