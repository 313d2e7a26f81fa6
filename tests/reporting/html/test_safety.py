"""Nothing that a run says is more than text, and a page asks the network for nothing."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import yaml

from fedmezo.core.run_folder import RunFolder
from fedmezo.reporting.html.page import SCRIPTS, render
from fedmezo.reporting.html.reading import read_runs
from tests.reporting.html.elements import Read

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u2028{{ 7 * 7 }}"
FETCHING = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background", "ping"}


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


def test_nothing_of_a_run_is_more_than_text(copied: Callable[[], Path], rendered: str) -> None:
    (run,) = read_runs([RunFolder(hostile(copied()))])
    assert run.settings["model.type"] == HOSTILE
    found = Read(render([run]))
    assert found.count()["script"] == Read(rendered).count()["script"] == 1 + len(SCRIPTS)
    assert not {"img", "iframe", "object", "embed", "form", "base"} & found.count().keys()
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    division = next(figure for figure in found.data()["figures"] if figure["name"] == "partition-0")
    assert division["series"][0]["name"] == HOSTILE and division["series"][0]["y"] == [99, 0, 0]
    assert run.label in found.all_of("h1")[0] and found.data()["runs"] == [run.label]
    assert HOSTILE in found.attributes("td", "data-value")  # the environment's, as it is
    assert "49" not in found.all_of("td")  # no template is read from a run


def test_a_page_asks_the_network_for_nothing(rendered: str) -> None:
    read = Read(rendered)
    links = {(tag, value) for tag, own in read.elements for name, value in own.items() if name in FETCHING}
    assert links and {value for _, value in links if not value.startswith("#")} == {"data:,"}
    targets = {own["id"] for _, own in read.elements if "id" in own}
    assert {value[1:] for _, value in links if value.startswith("#")} <= targets
    style, (_, *scripts) = read.all_of("style")[0], read.all_of("script")
    assert not re.search(r"url\(|@import", style)
    for text in scripts:
        assert not re.search(r"\bfetch\(|XMLHttpRequest|importScripts|WebSocket|sendBeacon|\bimport\(", text)


def test_the_policy_allows_the_page_its_own_scripts_and_style_only(rendered: str) -> None:
    read = Read(rendered)
    policy = next(own["content"] for tag, own in read.elements if own.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in read.all_of("script")[1:]]
    assert rules["default-src"] == "'none'" and rules["script-src"] == " ".join(f"'sha256-{own}'" for own in hashes)
    (style,) = read.all_of("style")
    assert rules["style-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    assert not [own for _, own in read.elements if "style" in own]  # it would not be allowed
