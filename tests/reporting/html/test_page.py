"""The page: what it holds, that everybody can read it, and that it stays small."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fedmezo.reporting.html import tables
from fedmezo.reporting.html.curves import MOST_CLIENTS
from fedmezo.reporting.html.page import render
from fedmezo.reporting.html.palette import DARK, LIGHT, SERIES_DARK, SERIES_LIGHT
from fedmezo.reporting.html.rounds import ClientRow, RoundRow
from fedmezo.reporting.html.run import Run
from tests.ledger.made import evaluation
from tests.reporting.html.elements import Read, figures

MOST_BYTES = 3_000_000


def test_the_curves_are_those_of_the_folders(runs: list[Run], rendered: str) -> None:
    found = figures(rendered)
    for number, run in enumerate(runs):
        lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        after = {row["round"] + 1: row["test_loss"] for row in lines if "test_loss" in row}
        test, train, seconds = (found[name]["series"][number] for name in ("test-loss", "train-loss", "seconds"))
        assert test["x"] == [0, 2, 4] and dict(zip(test["x"][1:], test["y"][1:], strict=True)) == after
        assert test["y"][0] == run.evaluations[0].losses["test"]
        assert train["x"] == seconds["x"] == [1, 2, 3, 4]
        assert train["y"] == [row["train_loss"] for row in lines]
        assert seconds["y"] == [row["seconds"] for row in lines]
        for client, series in enumerate(found[f"client-losses-{number}"]["series"]):
            assert series["y"] == [row["clients"][client]["loss"] for row in lines]
        (rates,) = found[f"client-rates-{number}"]["series"]  # all clients have one rate
        assert rates["name"] == "all clients" and rates["y"] == [0.01] * 4
        assert [series["y"] for series in found["memory"]["series"]][number] == [
            max(row["peak_memory_mib"] for row in lines)
        ]


def test_the_evaluated_examples_are_shown_by_client_and_by_category(runs: list[Run], rendered: str) -> None:
    found = figures(rendered)
    for number, run in enumerate(runs):
        last = run.evaluations[-1].splits["test"]
        loss, accuracy = last["loss"], last["accuracy"]
        groups = {"clients": loss.clients, "client-accuracy": accuracy.clients}
        groups |= {"categories": loss.categories, "category-accuracy": accuracy.categories}
        for group, values in groups.items():
            assert values is not None
            series = found[f"test-{group}-{number}"]["series"]
            names = [f"client {name}" if group.startswith("client") else name for name in values]
            assert {row["name"]: row["y"][-1] for row in series} == dict(zip(names, values.values(), strict=True))
            assert len(names) > 1 and all(row["x"] == [0, 2, 4] for row in series)
        assert found["test-accuracy"]["series"][number]["y"][-1] == accuracy.value


def test_the_partition_is_that_of_the_folder(runs: list[Run], rendered: str) -> None:
    held = json.loads((runs[0].folder / "partition.json").read_text(encoding="utf-8"))["clients"]
    figure = figures(rendered)["partition-0"]
    assert "partition-1" not in figures(rendered) and "the same division" in rendered
    for series in figure["series"]:
        own = [sum(split["categories"].get(series["name"], 0) for split in client.values()) for client in held]
        assert series["y"] == own
    assert sum(sum(series["y"]) for series in figure["series"]) == 60


def test_the_tables_hold_the_values_themselves(runs: list[Run], rendered: str) -> None:
    values = Read(rendered).attributes("td", "data-value")
    rows = dict(tables.summary(runs).rows)
    for number, run in enumerate(runs):
        summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
        said = summary["losses"]["test"]
        expected = {
            "outcome": "completed",
            "test loss before": said["before"],
            "test loss after": said["after"],
            "test loss, change": pytest.approx(said["percent"]),
            "test loss, paired change in standard errors": said["change"] / said["standard_error"],
            "peak memory": summary["peak_memory_mib"],
            "time of all rounds": summary["seconds"],
            "bytes up, all clients and rounds": summary["bytes_up"],
            "bytes down, all clients and rounds": summary["bytes_down"],
            "bytes up, a client and round": summary["bytes_up"] / 12,
            "best evaluation": summary["best"]["rounds_done"],
        }
        assert {name: rows[name][number].value for name in expected} == expected
        assert {str(rows[name][number].value) for name in expected} <= set(values)


def test_the_configurations_are_compared(runs: list[Run]) -> None:
    rows = dict(tables.configuration(runs).rows)
    assert {name: [cell.value for cell in cells] for name, cells in rows.items()} == {
        "expname": ['"mezo"', '"backprop"'],
        "trainer.type": ['"mezotrainer"', '"llmtrainer"'],
    }
    written = yaml.safe_load((runs[0].folder / "config.yaml").read_text(encoding="utf-8"))
    every = dict(tables.all_keys(runs).rows)
    assert json.loads(every["zo.mu"][0].value) == written["zo"]["mu"] == 0.005
    assert len(every) > 90 and rows.keys() <= every.keys()
    alone = dict(tables.configuration(runs[:1]).rows)
    assert [cell.value for cell in alone["zo.mu"]] == ["0.001", "0.005"] and "seed" not in alone


def test_bytes_of_weights_are_measured_if_they_travelled_and_computed_if_not(runs: list[Run]) -> None:
    both, alone = figures(render(runs))["bytes-up"], figures(render(runs[:1]))["bytes-up"]
    assert [series["name"] for series in both["series"]] == ["mezo", "backprop"]
    assert [series["name"] for series in alone["series"]] == ["mezo", "weights (computed)"]
    assert runs[0].weight_bytes == alone["series"][1]["y"][0] == pytest.approx(both["series"][1]["y"][0], rel=0.01)
    assert "Measured against backprop: mezo sends" in render(runs)
    assert "No run with backpropagation is among these" in render(runs[:1])


def test_every_control_has_a_name_and_every_figure_a_text(rendered: str) -> None:
    read = Read(rendered)
    canvases = [own for tag, own in read.elements if tag == "canvas"]
    assert len(canvases) == len(read.data()["figures"]) > 8
    assert all(own["role"] == "img" and len(own["aria-label"]) > 40 for own in canvases)
    assert all(own.get("aria-label") or "data-log" in own for tag, own in read.elements if tag == "button")
    ids = [own["id"] for _, own in read.elements if "id" in own]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_a_page_is_small_whatever_it_shows(runs: list[Run], rendered: str) -> None:
    assert len(rendered.encode()) < 0.2 * MOST_BYTES
    clients = [ClientRow(number, 1 / 3 + number, 1e-5 / 3, 0, 74, 189) for number in range(MOST_CLIENTS)]
    rounds = [RoundRow(done, 1 / (done + 2), {}, clients, 0, done / 7, 1e3) for done in range(1, 3001)]
    many = [replace(runs[0], label=f"run {number}", rounds=rounds, partition_hash=str(number)) for number in range(9)]
    large = render(many)
    assert len(large.encode()) < MOST_BYTES
    line = figures(large)["train-loss"]["series"][0]
    assert 20 < len(line["x"]) < 1000 and line["x"][0] == 1 and line["x"][-1] == 3000
    assert f"with more than {len(line['x'])} points" in large and "with more than" not in rendered


def test_many_clients_are_three_lines(runs: list[Run]) -> None:
    clients = [ClientRow(number, float(number), 0.1, 0, 1, 1) for number in range(MOST_CLIENTS + 2)]
    rounds = [RoundRow(1, 1.0, {}, clients, 0, 1.0, 1.0), RoundRow(2, 1.0, {}, clients[:3], 0, 1.0, 1.0)]
    series = figures(render([replace(runs[0], rounds=rounds)]))["client-losses-0"]["series"]
    assert [(row["name"], row["y"]) for row in series] == [
        ("highest client", [10.0, 2.0]), ("median client", [5.0, 1.0]), ("lowest client", [0.0, 0.0]),
    ]  # fmt: skip


def test_losses_that_are_not_finite_are_said_so(runs: list[Run]) -> None:
    last = runs[0].evaluations[-1]
    lost = evaluation(last.rounds_done, **dict.fromkeys(last.losses, float("nan")))
    run = replace(runs[0], evaluations=[*runs[0].evaluations[:-1], lost])
    assert figures(render([run]))["test-loss"]["series"][0]["y"][-1] is None
    assert dict(tables.summary([run]).rows)["test loss after"][0].text == "not finite"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colours", "series"), [(LIGHT, SERIES_LIGHT), (DARK, SERIES_DARK)], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_aa(colours: dict[str, str], series: tuple[str, ...]) -> None:
    for ground in ("page", "card", "button"):
        for text in ("ink", "link", "quiet"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["warning-ink"], colours["warning"]) >= 4.5
    assert len(set(series)) == 10
    assert all(contrast(colour, colours["card"]) >= 3 for colour in series)


def test_neither_torch_nor_a_model_is_loaded(folders: list[Path], tmp_path: Path) -> None:
    program = "import sys; from fedmezo.report import main; print(main(sys.argv[1:]), *sys.modules)"
    command = [sys.executable, "-c", program, *map(str, folders), "--out", str(tmp_path / "r.html")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1].split()
    assert said[0] == "0" and "fedmezo.reporting.html.page" in said
    assert not {"torch", "transformers", "peft", "datasets", "matplotlib"} & set(said)
