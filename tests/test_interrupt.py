import os
import signal

import pytest

from fedmezo.interrupt import graceful_stop

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_interrupts(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    before = handlers()
    with pytest.raises(KeyboardInterrupt), graceful_stop() as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested()
        assert caplog.messages == ["finishing this round, then saving (again to stop at once) ..."]
        os.kill(os.getpid(), number)
    assert handlers() == before


def test_handlers_are_put_back_when_nobody_asked() -> None:
    before = handlers()
    with graceful_stop() as stop_requested:
        assert before[0] not in handlers()
    assert handlers() == before
    assert not stop_requested()


def test_a_request_does_not_outlive_its_run() -> None:
    with graceful_stop():
        os.kill(os.getpid(), signal.SIGINT)
    with graceful_stop() as stop_requested:
        assert not stop_requested()
