"""The prompt of a task: what its template puts before an example's text, the text, and what is asked after it."""

from fedmezo.data.examples import Example


class TaskPrompt:
    """Puts an example of a task to the model as the task's template says."""

    bare = False
    ending = ""

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        return example.instruction + example.input + example.question
