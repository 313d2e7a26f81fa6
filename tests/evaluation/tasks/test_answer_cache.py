from pathlib import Path

from fedmezo.evaluation.tasks.answer_cache import AnswerCache

BATCH = [("one?", {"until": ["."]}), ("two?", {"until": ["."]})]


def test_a_batch_is_found_again_by_whoever_asks_the_same(tmp_path: Path) -> None:
    path = tmp_path / "task.part"
    AnswerCache(path, {"limit": 2}).add(BATCH, ["1", "2"])
    assert AnswerCache(path, {"limit": 2}).find(BATCH) == ["1", "2"]
    assert AnswerCache(path, {"limit": 3}).find(BATCH) is None
    changed: list[tuple[str, dict[str, list[str]]]] = [(prompt, {"until": []}) for prompt, _ in BATCH]
    for other in (BATCH[:1], BATCH[::-1], changed):
        assert AnswerCache(path, {"limit": 2}).find(other) is None


def test_a_line_that_was_not_finished_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "task.part"
    kept = AnswerCache(path, {})
    kept.add(BATCH[:1], ["1"])
    whole = path.read_bytes()
    kept.add(BATCH[1:], ["2"])
    path.write_bytes(path.read_bytes()[:-3])
    again = AnswerCache(path, {})
    assert again.find(BATCH[:1]) == ["1"] and again.find(BATCH[1:]) is None
    again.add(BATCH[1:], ["2"])
    assert path.read_bytes().startswith(whole) and AnswerCache(path, {}).find(BATCH[1:]) == ["2"]
    again.remove()
    assert not path.exists()
