from pathlib import Path

from fedmezo.evaluation.tasks.answer_cache import KeptAnswers

BATCH = [("one?", {"until": ["."]}), ("two?", {"until": ["."]})]


def test_a_batch_is_found_again_by_whoever_asks_the_same(tmp_path: Path) -> None:
    path = tmp_path / "task.part"
    KeptAnswers(path, {"limit": 2}).add(BATCH, ["1", "2"])
    assert KeptAnswers(path, {"limit": 2}).find(BATCH) == ["1", "2"]
    assert KeptAnswers(path, {"limit": 3}).find(BATCH) is None
    changed: list[tuple[str, dict[str, list[str]]]] = [(prompt, {"until": []}) for prompt, _ in BATCH]
    for other in (BATCH[:1], BATCH[::-1], changed):
        assert KeptAnswers(path, {"limit": 2}).find(other) is None


def test_a_line_that_was_not_finished_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "task.part"
    kept = KeptAnswers(path, {})
    kept.add(BATCH[:1], ["1"])
    whole = path.read_bytes()
    kept.add(BATCH[1:], ["2"])
    path.write_bytes(path.read_bytes()[:-3])
    again = KeptAnswers(path, {})
    assert again.find(BATCH[:1]) == ["1"] and again.find(BATCH[1:]) is None
    again.add(BATCH[1:], ["2"])
    assert path.read_bytes().startswith(whole) and KeptAnswers(path, {}).find(BATCH[1:]) == ["2"]
    again.remove()
    assert not path.exists()
