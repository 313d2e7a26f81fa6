import inspect
from typing import Any

from fedmezo.federation.callbacks import Callback, Callbacks
from fedmezo.ledger.records import EvaluationRecord
from tests.reporting.reports import make_report

EVENTS: dict[str, tuple[Any, ...]] = {
    "before_round": (0, [0.25, 0.5]),
    "on_step": (1.5,),
    "on_evaluated": (8,),
    "after_round": (make_report(),),
    "after_evaluation": (EvaluationRecord(1, {}), EvaluationRecord(0, {})),
    "wants_stop": (),
    "close": (),
}


class Listener(Callback):
    """Writes down what it is told, in a notebook that listeners share."""

    def __init__(self, name: str, notebook: list[tuple[Any, ...]]) -> None:
        for event in EVENTS:
            setattr(self, event, lambda *told, event=event: notebook.append((name, event, *told)))


def test_every_event_of_the_contract_reaches_every_callback_in_order() -> None:
    contract = {name for name, _ in inspect.getmembers(Callback, inspect.isfunction) if not name.startswith("_")}
    assert contract == set(EVENTS)
    notebook: list[tuple[Any, ...]] = []
    callbacks = Callbacks()
    callbacks.add(Listener("first", notebook), Listener("second", notebook))
    for event, told in EVENTS.items():
        notebook.clear()
        getattr(callbacks, event)(*told)
        assert notebook == [("first", event, *told), ("second", event, *told)]


def test_a_callback_that_joins_later_hears_what_comes_after() -> None:
    notebook: list[tuple[Any, ...]] = []
    callbacks = Callbacks()
    callbacks.on_step(1.0)
    callbacks.add(Listener("late", notebook))
    callbacks.on_step(2.0)
    assert notebook == [("late", "on_step", 2.0)]
