from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fedmezo.core.run_folder import RunFolder
from fedmezo.reporting.html.labels import labels
from fedmezo.reporting.html.reading import read_runs

PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@given(st.lists(PARTS, min_size=1, max_size=8, unique_by=tuple))
def test_labels_tell_folders_apart_and_end_with_their_names(parts: list[list[str]]) -> None:
    folders = [Path("/", *own) for own in parts]
    found = labels(folders)
    assert len(set(found)) == len(folders)
    assert all(folder.match(label) for folder, label in zip(folders, found, strict=True))


def test_a_name_of_its_own_stays_short() -> None:
    assert labels([Path("/x/a"), Path("/y/a"), Path("/y/b")]) == ["x/a", "y/a", "b"]


def test_a_run_that_is_named_twice_is_shown_once(folders: list[Path]) -> None:
    twice = [RunFolder(folders[0]), RunFolder(folders[0] / ".." / folders[0].name)]
    assert [run.label for run in read_runs(twice)] == ["mezo"]
