"""The prompt of a task: what its template puts before an example's text, the text, and what is asked after it."""

from fedmezo.data.examples import Example
from fedmezo.data.tasks.task import Task


class TaskPrompt:
    """Puts an example of a task to the model as the task's template says."""

    bare = False
    ending = ""

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        return example.instruction + example.input + example.question


class TypedPrompt(TaskPrompt):
    """Puts what somebody types to the model as a task's text; the task's other fields are empty."""

    def __init__(self, task: Task) -> None:
        self._around = task.rendered(dict.fromkeys(task.fields, ""))

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the answer."""
        before, after = self._around
        return before + example.instruction + after
