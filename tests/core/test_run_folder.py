import errno
import json
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.run_folder import RunFolder


def contents(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_named_run_gets_its_folder(tmp_path: Path) -> None:
    folder = run_folder.create(str(tmp_path / "runs/of/today"), "mine", "quickstart", "seed: 1")
    assert folder.path == tmp_path / "runs/of/today/mine"
    assert folder.path.is_dir()


def test_runs_without_a_name_are_numbered_after_their_configuration(tmp_path: Path) -> None:
    made = [run_folder.create(str(tmp_path), "", "quickstart", "seed: 1").path.name for _ in range(3)]
    assert made == ["quickstart", "quickstart-2", "quickstart-3"]


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    run_folder.check_free(str(tmp_path), "mine")
    run_folder.check_free(str(tmp_path), "")
    run_folder.create(str(tmp_path), "mine", "quickstart", "seed: 1")
    for again in (
        lambda: run_folder.check_free(str(tmp_path), "mine"),
        lambda: run_folder.create(str(tmp_path), "mine", "quickstart", "seed: 1"),
    ):
        with pytest.raises(ConfigurationError, match=f"fedmezo resume {tmp_path / 'mine'}$"):
            again()


@pytest.mark.parametrize("links", [True, False])
def test_starts_at_the_same_time_get_folders_of_their_own(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    starts, runs = 4, 20
    together = threading.Barrier(starts, timeout=30)

    def start(number: int) -> list[RunFolder]:
        made = []
        for run in range(runs):
            together.wait()
            made.append(run_folder.create(str(tmp_path), "", f"run{run}", f"seed: {number}"))
        return made

    with ThreadPoolExecutor(starts) as pool:
        found = list(pool.map(start, range(starts)))
    for number, folders in enumerate(found):
        assert [folder.config.read_text() for folder in folders] == [f"seed: {number}"] * runs
        assert all(contents(folder.path) == ["config.yaml"] for folder in folders)
    assert len({folder.path for folders in found for folder in folders}) == starts * runs


def test_a_name_goes_to_one_of_those_who_want_it(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=30)

    def start(number: int) -> int | None:
        together.wait()
        try:
            run_folder.create(str(tmp_path), "mine", "quickstart", f"seed: {number}")
        except ConfigurationError:
            return None
        return number

    with ThreadPoolExecutor(4) as pool:
        (first,) = [number for number in pool.map(start, range(4)) if number is not None]
    assert (tmp_path / "mine" / "config.yaml").read_text() == f"seed: {first}"


def refuse(*arguments: object) -> None:
    raise PermissionError(errno.EPERM, "a file system without links")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match=f"^outdir = {tmp_path / 'file'}\n    the run's folder cannot be made: "):
        run_folder.create(str(tmp_path / "file"), "mine", "quickstart", "seed: 1")


def test_only_a_folder_with_a_configuration_is_a_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ResourceError, match=f"^{path}\n    there is no run in this folder"):
            run_folder.existing(path)
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    assert run_folder.existing(tmp_path) == RunFolder(tmp_path)


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("summary.json", {"loss": 1.5})
    with pytest.raises(TypeError, match="not JSON serializable"):
        folder.write_json("summary.json", {"loss": object()})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"loss": 1.5}
    assert contents(tmp_path) == ["summary.json"]


def test_numbers_that_json_cannot_say_are_null(tmp_path: Path) -> None:
    content = {"loss": math.nan, "rows": [(1, math.inf), {"deep": -math.inf}], "name": "nan", "whole": 2}
    RunFolder(tmp_path).write_json("summary.json", content)
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == {"loss": None, "rows": [[1, None], {"deep": None}], "name": "nan", "whole": 2}


def test_a_folder_is_replaced_when_the_new_one_is_complete(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_folder("adapter", lambda scratch: (scratch / "old").touch())

    def fill(scratch: Path) -> None:
        assert contents(tmp_path / "adapter") == ["old"]
        (scratch / "new").touch()

    folder.write_folder("adapter", fill)
    assert contents(tmp_path / "adapter") == ["new"]

    def break_off(scratch: Path) -> None:
        (scratch / "half").touch()
        raise OSError("no space left on device")

    with pytest.raises(ResourceError, match="no space"):
        folder.write_folder("adapter", break_off)
    assert contents(tmp_path / "adapter") == ["new"]
    assert contents(tmp_path) == ["adapter"]


def test_a_written_folder_is_as_open_as_one_made_by_hand(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        RunFolder(tmp_path).write_folder("adapter", lambda scratch: (scratch / "weights").touch())
    finally:
        os.umask(before)
    assert (tmp_path / "adapter").stat().st_mode & 0o777 == 0o755
