"""The page: what it holds, that nothing in it can be more than text, and that it stays small."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmezo.reports import tables
from fedmezo.reports.curves import MOST_CLIENTS
from fedmezo.reports.page import render
from fedmezo.reports.palette import DARK, LIGHT, SERIES_DARK, SERIES_LIGHT
from fedmezo.reports.reading import read_runs
from fedmezo.reports.rounds import ClientRow, RoundRow
from fedmezo.reports.run import Run
from fedmezo.run_folder import RunFolder

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u2028{{ 7 * 7 }}"
MOST_BYTES = 3_000_000
FETCHING = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background", "ping"}


class Read(HTMLParser):
    """What a browser would find in a page: elements, their attributes, and the texts of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts.append((self.elements[-1][0], data))

    def count(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attributes[name] for own, attributes in self.elements if own == tag and name in attributes]

    def all_of(self, tag: str) -> list[str]:
        return [text for own, text in self.texts if own == tag and text.strip()]

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.all_of("script")[0])
        return found


@pytest.fixture
def page(runs: list[Run]) -> str:
    return render(runs)


def figures(page: str) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in Read(page).data()["figures"]}


def test_the_curves_are_those_of_the_folders(runs: list[Run], page: str) -> None:
    found = figures(page)
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


def test_the_partition_is_that_of_the_folder(runs: list[Run], page: str) -> None:
    held = json.loads((runs[0].folder / "partition.json").read_text(encoding="utf-8"))["clients"]
    figure = figures(page)["partition-0"]
    assert "partition-1" not in figures(page) and "the same division" in page
    for series in figure["series"]:
        own = [sum(split["categories"].get(series["name"], 0) for split in client.values()) for client in held]
        assert series["y"] == own
    assert sum(sum(series["y"]) for series in figure["series"]) == 60


def test_the_tables_hold_the_values_themselves(runs: list[Run], page: str) -> None:
    values = Read(page).attributes("td", "data-value")
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


def hostile(folder: Path) -> Path:
    """Return a run that says what a page must not believe, wherever it can."""
    target = folder.rename(folder.parent / "<img src=x onerror=alert(1)>\"'&<!--")
    cfg = yaml.safe_load((target / "config.yaml").read_text(encoding="utf-8"))
    cfg["model"]["type"] = cfg["data"]["root"] = HOSTILE
    (target / "config.yaml").write_text(yaml.safe_dump(cfg), encoding="utf-8")
    for name in ("partition.json", "environment.json", "summary.json"):
        content = json.loads((target / name).read_text(encoding="utf-8"))
        if name == "partition.json":
            content["clients"][0]["train"]["categories"][HOSTILE] = 99
        content |= {"outcome": HOSTILE, "processor": HOSTILE}
        (target / name).write_text(json.dumps(content), encoding="utf-8")
    return target


def test_nothing_of_a_run_is_more_than_text(copied: Callable[[], Path], page: str) -> None:
    (run,) = read_runs([RunFolder(hostile(copied()))])
    assert run.settings["model.type"] == HOSTILE
    found = Read(render([run]))
    assert found.count()["script"] == Read(page).count()["script"] == 3
    assert not {"img", "iframe", "object", "embed", "form", "base"} & found.count().keys()
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    division = next(figure for figure in found.data()["figures"] if figure["name"] == "partition-0")
    assert division["series"][0]["name"] == HOSTILE and division["series"][0]["y"] == [99, 0, 0]
    assert run.label in found.all_of("h1")[0] and found.data()["runs"] == [run.label]
    assert HOSTILE in found.attributes("td", "data-value")  # the environment's, as it is
    assert "49" not in found.all_of("td")  # no template is read from a run


def test_a_page_asks_the_network_for_nothing(page: str) -> None:
    read = Read(page)
    links = {(tag, value) for tag, own in read.elements for name, value in own.items() if name in FETCHING}
    assert links and {value for _, value in links if not value.startswith("#")} == {"data:,"}
    targets = {own["id"] for _, own in read.elements if "id" in own}
    assert {value[1:] for _, value in links if value.startswith("#")} <= targets
    style, (_, library, script) = read.all_of("style")[0], read.all_of("script")
    assert not re.search(r"url\(|@import", style)
    for text in (library, script):
        assert not re.search(r"\bfetch\(|XMLHttpRequest|importScripts|WebSocket|sendBeacon|\bimport\(", text)


def test_the_policy_allows_the_page_its_own_scripts_and_style_only(page: str) -> None:
    read = Read(page)
    policy = next(own["content"] for tag, own in read.elements if own.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in read.all_of("script")[1:]]
    assert rules["default-src"] == "'none'" and rules["script-src"] == " ".join(f"'sha256-{own}'" for own in hashes)
    (style,) = read.all_of("style")
    assert rules["style-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    assert not [own for _, own in read.elements if "style" in own]  # it would not be allowed


def test_every_control_has_a_name_and_every_figure_a_text(page: str) -> None:
    read = Read(page)
    canvases = [own for tag, own in read.elements if tag == "canvas"]
    assert len(canvases) == len(read.data()["figures"]) > 8
    assert all(own["role"] == "img" and len(own["aria-label"]) > 40 for own in canvases)
    assert all(own.get("aria-label") or "data-log" in own for tag, own in read.elements if tag == "button")
    ids = [own["id"] for _, own in read.elements if "id" in own]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_a_page_is_small_whatever_it_shows(runs: list[Run], page: str) -> None:
    assert len(page.encode()) < 0.2 * MOST_BYTES
    clients = [ClientRow(number, 1 / 3 + number, 1e-5 / 3, 0, 74, 189) for number in range(MOST_CLIENTS)]
    rounds = [RoundRow(done, 1 / (done + 2), {}, clients, 0, done / 7, 1e3) for done in range(1, 3001)]
    many = [replace(runs[0], label=f"run {number}", rounds=rounds, partition_hash=str(number)) for number in range(9)]
    large = render(many)
    assert len(large.encode()) < MOST_BYTES
    line = figures(large)["train-loss"]["series"][0]
    assert 20 < len(line["x"]) < 1000 and line["x"][0] == 1 and line["x"][-1] == 3000
    assert f"with more than {len(line['x'])} points" in large and "with more than" not in page


def test_many_clients_are_three_lines(runs: list[Run]) -> None:
    clients = [ClientRow(number, float(number), 0.1, 0, 1, 1) for number in range(MOST_CLIENTS + 2)]
    rounds = [RoundRow(1, 1.0, {}, clients, 0, 1.0, 1.0), RoundRow(2, 1.0, {}, clients[:3], 0, 1.0, 1.0)]
    series = figures(render([replace(runs[0], rounds=rounds)]))["client-losses-0"]["series"]
    assert [(row["name"], row["y"]) for row in series] == [
        ("highest client", [10.0, 2.0]), ("median client", [5.0, 1.0]), ("lowest client", [0.0, 0.0]),
    ]  # fmt: skip


def test_losses_that_are_not_finite_are_said_so(runs: list[Run]) -> None:
    last = runs[0].evaluations[-1]
    lost = replace(last, losses=dict.fromkeys(last.losses, float("nan")))
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
    assert said[0] == "0" and "fedmezo.reports.page" in said
    assert not {"torch", "transformers", "peft", "datasets", "matplotlib"} & set(said)
