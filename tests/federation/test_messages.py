"""Bytes of the messages."""

from fedmezo.federation.messages import bytes_down, bytes_up


def test_scalars_of_the_papers_setting_fit_the_budget() -> None:
    # 30 steps, 3 clients, one query: header 16 + loss 4 + 30 floats + 30 bits
    assert bytes_up(42_598_400, 30) == 16 + 4 + 120 + 4
    assert bytes_down(42_598_400, [30, 30, 30]) == 3 * (16 + 8 + 120 + 4)


def test_weights_are_four_bytes_a_parameter() -> None:
    assert bytes_up(1000, None) == 4020
    assert bytes_down(1000, None) == 4016
