import os
import signal

import pytest

from fedmezo.core import interrupt
from fedmezo.core.interrupt import graceful_stop, undisturbed
from fedmezo.core.signals import STOPPING

WARNINGS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU]


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in STOPPING]


@pytest.mark.parametrize("last", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_asks_and_the_second_interrupts(
    number: signal.Signals, last: signal.Signals, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupt, "PAIR", 0.0)
    before = handlers()
    with pytest.raises(KeyboardInterrupt), graceful_stop() as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested()
        assert caplog.messages == ["finishing this round, then saving (again to stop at once) ..."]
        os.kill(os.getpid(), last)
    assert handlers() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, *WARNINGS])
def test_what_machines_send_twice_asks_once(number: signal.Signals, caplog: pytest.LogCaptureFixture) -> None:
    """As timeout(1), a shell whose terminal closes, and a limit of processor time do."""
    with graceful_stop() as stop_requested:
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert stop_requested() and len(caplog.messages) == 1


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with graceful_stop() as stop_requested:
            os.kill(os.getpid(), number)
            assert not stop_requested() and signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_what_comes_in_an_undisturbed_block_counts_after_it() -> None:
    with graceful_stop() as stop_requested:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            assert not stop_requested()
        assert stop_requested()


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
