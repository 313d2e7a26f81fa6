import numpy as np
import pytest

from fedmezo.evaluation.example_sums import ExampleSums, Sums
from fedmezo.evaluation.metrics import Metric
from fedmezo.evaluation.metrics.make import make_metrics
from fedmezo.evaluation.paired import PairedChange
from fedmezo.evaluation.paired import paired_change as change_of
from tests.evaluation.made import sums_of

LOSS, ACCURACY, EXACT_MATCH, PERPLEXITY = make_metrics(["loss", "accuracy", "exact_match", "perplexity"])


def losses(sums: list[float], tokens: list[int], first: int = 0) -> ExampleSums:
    correct = np.minimum(np.array(sums, dtype=np.int64), tokens)
    return sums_of(sums, tokens, correct.tolist(), range(first, first + len(sums)))


def paired_change(before: ExampleSums, after: ExampleSums) -> PairedChange:
    return change_of(before, after, LOSS)


def test_the_change_is_that_of_the_same_examples() -> None:
    tokens = [2, 1, 4]
    change = paired_change(losses([4.0, 3.0, 8.0], tokens), losses([3.0, 3.5, 6.0], tokens))
    assert (change.before, change.after, change.examples) == (15 / 7, 12.5 / 7, 3)
    # per example and token: -0.5, +0.5, -0.5
    assert change.change == pytest.approx(-1 / 6)
    assert change.standard_error == pytest.approx(np.sqrt(((1 / 3) ** 2 * 2 + (2 / 3) ** 2) / 2 / 3))
    assert change.percent == pytest.approx(100 * (12.5 / 15 - 1))
    assert str(change) == "2.1429 -> 1.7857 (-16.67 %, 0.5 standard errors, 3 examples)"


def test_shares_change_by_points() -> None:
    before, after = losses([0.0, 1.0, 2.0, 4.0], [1, 2, 2, 4]), losses([1.0, 2.0, 2.0, 3.0], [1, 2, 2, 4])
    exact = change_of(before, after, EXACT_MATCH)  # per example: +1, +1, 0, -1
    assert (exact.before, exact.after, exact.change) == (0.5, 0.75, 0.25)
    assert str(exact) == "50.0 % -> 75.0 % (+25.0 points, 0.5 standard errors, 4 examples)"
    accuracy = change_of(before, after, ACCURACY)  # per example: +1, +1/2, 0, -1/4
    assert (accuracy.before, accuracy.after, accuracy.change) == (7 / 9, 8 / 9, 1.25 / 4)


def test_nothing_changed_means_no_standard_errors() -> None:
    same = losses([4.0, 3.0], [2, 1])
    assert str(paired_change(same, same)) == "2.3333 -> 2.3333 (+0.00 %, 2 examples)"


def test_one_example_has_no_standard_error() -> None:
    change = paired_change(losses([4.0], [2]), losses([5.0], [2]))
    assert (change.change, change.standard_error) == (0.5, 0.0)


def test_pairing_beats_the_spread_between_examples() -> None:
    draws = np.random.Generator(np.random.Philox(key=1)).normal(size=(2, 400))
    tokens = [1] * 400
    before = 5.0 + 2.0 * draws[0]
    change = paired_change(losses(list(before), tokens), losses(list(before - 0.1 + 0.1 * draws[1]), tokens))
    assert change.standard_error == pytest.approx(0.1 / 20, rel=0.1)
    assert abs(change.change + 0.1) < 4 * change.standard_error


@pytest.mark.parametrize("other", [losses([1.0, 2.0], [1, 1], first=1), losses([1.0], [1]), losses([1.0] * 3, [1] * 3)])
def test_other_examples_cannot_be_paired(other: ExampleSums) -> None:
    with pytest.raises(ValueError, match="the same examples"):
        paired_change(losses([1.0, 2.0], [1, 1]), other)


def test_a_result_that_is_no_mean_is_compared_example_by_example() -> None:
    change = change_of(losses([2.0, 0.0], [2, 1]), losses([0.0, 0.0], [2, 1]), PERPLEXITY)
    assert [change.before, change.after] == pytest.approx([np.exp(2 / 3), 1.0])
    assert change.change == pytest.approx((1 - np.e) / 2)


def test_examples_that_do_not_count_are_left_out() -> None:
    class Some(Metric):
        name = "some"
        higher_is_better, unit = True, "some of something"

    def some(values: list[float], counts: list[int]) -> ExampleSums:
        return ExampleSums(np.arange(len(values)), {"some": Sums(np.array(values), np.array(counts))})

    change = change_of(some([1.0, 0.0, 3.0], [1, 0, 1]), some([2.0, 0.0, 3.0], [1, 0, 1]), Some())
    assert (change.before, change.after, change.examples, change.change) == (2.0, 2.5, 2, 0.5)
    nothing = change_of(some([0.0], [0]), some([0.0], [0]), Some())
    assert nothing.examples == 0 and np.isnan([nothing.before, nothing.change]).all()
