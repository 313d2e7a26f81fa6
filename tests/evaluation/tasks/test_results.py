import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmezo.core.run_folder import RunFolder
from fedmezo.evaluation.tasks.results import Result, read_result, write_result
from fedmezo.evaluation.tasks.table import results_table


def found(values: list[float], **results: Any) -> dict[str, Any]:
    """Return what lm_eval says of a task with these scores."""
    samples = [
        {
            "doc_id": row,
            "filter": "none",
            "arguments": [("question", {})],
            "resps": [[(np.float32(-1.5), True)]],
            "filtered_resps": [(np.float32(-1.5), True)],
            "target": row,
            "metrics": ["acc", "items"],
            "acc": value,
            "items": (1, 2),
        }
        for row, value in enumerate(values)
    ]
    own = {"alias": "task", "sample_len": len(values), "acc,none": np.mean(values), "acc_stderr,none": "N/A"}
    return {"results": {"task": own | results}, "versions": {"task": 2}, "samples": {"task": samples}}


def written(folder: Path, rounds_done: int, values: list[float], **results: Any) -> Result:
    place = folder / str(rounds_done)
    place.mkdir()
    return write_result(RunFolder(place), "task", rounds_done, {"limit": 1}, 2.0, found(values, **results))


def test_what_was_written_is_read_again_by_equal_settings_alone(tmp_path: Path) -> None:
    result = written(tmp_path, 3, [0.0, 1.0, 1.0], **{"acc_stderr,none": 0.25})
    place = RunFolder(tmp_path / "3")
    assert read_result(place, "task", 3, {"limit": 1}) == result
    assert read_result(place, "task", 3, {"limit": 2}) is None
    assert read_result(place, "other", 3, {"limit": 1}) is None
    row = json.loads((place.path / "task.json").read_text())
    assert row["scores"] == [
        {"task": "task", "metric": "acc", "filter": "none", "value": 2 / 3, "standard_error": 0.25, "examples": 3}
    ]
    lines = [json.loads(line) for line in (place.path / "task.jsonl").read_text().splitlines()]
    assert [line["scores"] for line in lines] == [{"acc": 0.0}, {"acc": 1.0}, {"acc": 1.0}]
    for damaged in ("", "[]", "{}", '{"scores": [{}]}'):
        (place.path / "task.json").write_text(damaged)
        assert read_result(place, "task", 3, {"limit": 1}) is None


def test_a_change_is_of_each_example(tmp_path: Path) -> None:
    before, after = written(tmp_path, 0, [0.0, 1.0, 0.0, 0.0]), written(tmp_path, 3, [1.0, 1.0, 0.0, 1.0])
    change = before.change_to(after, ("task", "acc", "none"))
    assert change == pytest.approx((0.5, np.std([1, 0, 0, 1], ddof=1) / 2))
    assert before.change_to(after, ("task", "items", "none")) is None
    shorter = written(tmp_path, 5, [1.0, 0.0])
    assert before.change_to(shorter, ("task", "acc", "none")) is None
    assert results_table([before, after]).splitlines() == [
        "task: acc (4 examples)",
        "  before training  0.2500",
        "  after 3 rounds   0.7500   change +0.5000 ± 0.2887 (paired)",
    ]
