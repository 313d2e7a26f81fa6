"""The report in a headless Chromium, as a reader has it: at two widths, in light and in dark."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Download, Page, sync_playwright

from fedmezo.report import main
from fedmezo.reporting.html.run import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SERIOUS = {"serious", "critical"}
OFFERED = 'document.querySelector("figure[data-figure=test-loss] canvas")'

pytestmark = [pytest.mark.full, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # CI runs as root
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(runs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert main([str(runs_folder / "mezo"), str(runs_folder / "backprop"), "--out", str(path)]) == 0
    return path.as_uri()


class Opened:
    """A page that was opened, and what it complained about."""

    def __init__(self, browser: Browser, address: str, width: int, scheme: Any) -> None:
        self._context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page: Page = self._context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def opened(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Opened]:
    width, scheme = getattr(request, "param", (1400, "light"))
    found = Opened(browser, address, width, scheme)
    yield found
    found.close()
    assert found.said == []  # no error, and no line of another kind
    assert [url for url in found.asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture
def page(opened: Opened) -> Page:
    return opened.page


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for a condition, asked from here: the page's own policy keeps it from evaluating one time and again."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail("waited for ten seconds")


def figure(page: Page, name: str) -> Any:
    return page.locator(f"figure[data-figure={name}]")


def shown(page: Page, name: str) -> dict[str, Any]:
    """Return what Chart.js draws in a figure: types of the axes, and for each line its values and looks."""
    found: dict[str, Any] = page.evaluate(
        """name => {
            const chart = Chart.getChart(document.querySelector(`figure[data-figure="${name}"] canvas`));
            return {x: chart.scales.x.type, y: chart.scales.y.type, lines: chart.data.datasets.map(line => ({
                name: line.label, colour: line.borderColor, dash: line.borderDash, mark: line.pointStyle,
                points: line.data.map(point => [point.x, point.y])}))};
        }""",
        name,
    )
    return found


def saved(download: Download) -> bytes:
    return Path(download.path()).read_bytes()


@pytest.mark.parametrize("opened", [(w, s) for w in (400, 1400) for s in ("light", "dark")], indirect=True, ids=str)
def test_nothing_overflows_and_axe_finds_nothing_serious(page: Page) -> None:
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    inside = """() => [...document.querySelectorAll("figure, .card, canvas")].every(element => {
        const box = element.getBoundingClientRect();
        return box.width > 100 && box.left >= 0 && box.right <= document.documentElement.clientWidth + 0.5; })"""
    assert page.evaluate(inside)
    violations = Axe().run(page).response["violations"]
    assert [(row["id"], row["nodes"][0]["html"]) for row in violations if row["impact"] in SERIOUS] == []


def open_many(browser: Browser, folders: Sequence[Path], path: Path, width: int) -> Opened:
    """Return the page of many runs."""
    assert main([*map(str, folders), "--out", str(path)]) == 0
    return Opened(browser, path.as_uri(), width, "light")


def test_the_tables_of_many_runs_scroll_and_the_page_does_not(
    browser: Browser, copied: Callable[[], Path], tmp_path: Path
) -> None:
    opened = open_many(browser, [copied() for _ in range(5)], tmp_path / "many.html", 400)
    wider = "element => element.scrollWidth > element.clientWidth"
    assert opened.page.locator(".scroll:has(#summary)").evaluate(wider)
    assert not opened.page.locator("html").evaluate(wider)
    opened.close()
    assert opened.said == []


def test_words_stay_whole_in_the_tables_of_many_runs(
    browser: Browser, copied: Callable[[], Path], tmp_path: Path
) -> None:
    opened = open_many(browser, [copied() for _ in range(10)], tmp_path / "many.html", 1400)
    broken = """() => [...document.querySelectorAll("#summary th, #summary td")].flatMap(cell => {
        const text = cell.firstChild;
        return [...text.data.matchAll(/\\w+/g)].filter(word => {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            return range.getClientRects().length > 1; }).map(word => word[0]); })"""
    assert opened.page.evaluate(broken) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    opened.close()
    assert opened.said == []


def test_hovering_shows_the_values(page: Page) -> None:
    canvas = figure(page, "test-loss").locator("canvas")
    canvas.scroll_into_view_if_needed()
    before = canvas.screenshot()
    place = page.evaluate(
        f"(() => {{ const chart = Chart.getChart({OFFERED}); const box = chart.canvas.getBoundingClientRect();"
        "return [box.left + chart.scales.x.getPixelForValue(2), box.top + box.height / 3]; })()"
    )
    page.mouse.move(*place)
    wait_until(page, lambda: bool(page.evaluate(f"Chart.getChart({OFFERED}).tooltip.opacity === 1")))
    said = page.evaluate(f"Chart.getChart({OFFERED}).tooltip.body.map(part => part.lines[0])")
    lines = shown(page, "test-loss")["lines"]
    values = {line["name"]: dict(map(tuple, line["points"]))[2] for line in lines}
    assert said == [f"{name}: {float(f'{value:.6g}')}" for name, value in values.items()]
    assert canvas.screenshot() != before


def test_the_keyboard_reads_the_values_too(page: Page) -> None:
    canvas = figure(page, "test-loss").locator("canvas")
    canvas.focus()
    spoken = figure(page, "test-loss").locator("[aria-live]")
    for key, at in (("ArrowRight", 0), ("ArrowRight", 2), ("ArrowRight", 4), ("ArrowRight", 4), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        assert spoken.text_content().startswith(f"rounds done: {at}, mezo: ")
    page.keyboard.press("Escape")
    assert spoken.text_content() == ""


def test_scales_can_be_logarithmic(page: Page) -> None:
    for axis in ("x", "y"):
        button = figure(page, "test-loss").locator(f"[data-log={axis}]")
        assert shown(page, "test-loss")[axis] == "linear"
        button.press("Enter")
        assert shown(page, "test-loss")[axis] == "logarithmic" and button.get_attribute("aria-pressed") == "true"
    assert [point[0] for point in shown(page, "test-loss")["lines"][0]["points"]] == [2, 4]  # 0 is nowhere on it
    button.press("Enter")
    assert shown(page, "test-loss")["y"] == "linear"
    assert shown(page, "bytes-up")["x"] == "logarithmic"


def test_an_empty_bin_stays_empty_on_a_logarithmic_scale(page: Page) -> None:
    figure(page, "gradients").locator("[data-log=y]").click()
    counts = [point[1] for point in shown(page, "gradients")["lines"][0]["points"]]
    assert len(counts) == 43 and min(counts) == counts[0] == 0.5 and max(counts) >= 1


def test_runs_can_be_hidden_and_differ_in_more_than_colour(page: Page) -> None:
    first, second = shown(page, "test-loss")["lines"]
    assert all(first[key] != second[key] for key in ("name", "colour", "dash", "mark"))
    page.locator("[data-run='0']").press("Space")
    for name in ("test-loss", "train-loss", "bytes-up", "memory"):
        assert [line["name"] for line in shown(page, name)["lines"]] == ["backprop"]
    page.locator("[data-run='0']").press("Space")
    assert len(shown(page, "test-loss")["lines"]) == 2


@pytest.mark.parametrize("opened", [(1400, "light"), (1400, "dark")], indirect=True, ids=str)
def test_a_theme_can_be_chosen_and_is_kept(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    before, line = page.evaluate(ground), shown(page, "test-loss")["lines"][0]["colour"]
    seen = {}
    for theme in ("light", "dark"):
        page.select_option("#theme", theme)
        seen[theme] = (page.evaluate(ground), shown(page, "test-loss")["lines"][0]["colour"])
    assert seen["light"][0] != seen["dark"][0] and seen["light"][1] != seen["dark"][1]
    assert (before, line) in seen.values()
    page.reload()
    assert page.evaluate(ground) == seen["dark"][0]
    page.select_option("#theme", "")
    assert page.evaluate(ground) == before


def test_a_change_of_the_systems_theme_is_followed(page: Page) -> None:
    before = shown(page, "test-loss")["lines"][0]["colour"]
    page.emulate_media(color_scheme="dark")
    wait_until(page, lambda: bool(shown(page, "test-loss")["lines"][0]["colour"] != before))


def test_figures_are_exported_as_csv_and_png(page: Page, runs: list[Run]) -> None:
    with page.expect_download() as waiting:
        figure(page, "test-loss").locator("[data-csv]").click()
    assert waiting.value.suggested_filename == "test-loss.csv"
    rows = list(csv.reader(io.StringIO(saved(waiting.value).decode())))
    assert rows[0] == ["series", "rounds done", "loss per response token"]
    expected = [(run.label, done, loss) for run in runs for done, loss in run.losses("test").items()]
    assert [(name, int(done), float(loss)) for name, done, loss in rows[1:]] == expected
    for name, height in (("test-loss", 675), ("bytes-up", 150 + 2 * 56)):
        with page.expect_download() as waiting:
            figure(page, name).locator("[data-png]").click()
        picture = saved(waiting.value)
        assert waiting.value.suggested_filename == f"{name}.png"
        assert picture.startswith(b"\x89PNG\r\n\x1a\n") and len(picture) > 10_000
        assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (2400, 2 * height)


def test_tables_are_exported_with_the_values_themselves(page: Page, runs: list[Run]) -> None:
    with page.expect_download() as waiting:
        page.locator("button[data-table=summary]").click()
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(saved(waiting.value).decode()))}
    assert rows["run"] == ["mezo", "backprop"]
    summaries = [json.loads((run.folder / "summary.json").read_text(encoding="utf-8")) for run in runs]
    assert [float(own) for own in rows["test loss after"]] == [own["losses"]["test"]["after"] for own in summaries]
    assert [int(own) for own in rows["bytes up, all clients and rounds"]] == [own["bytes_up"] for own in summaries]


def test_the_values_of_a_figure_are_a_table_on_demand(page: Page) -> None:
    own = figure(page, "train-loss")
    assert own.locator("table").count() == 0
    own.locator("summary").press("Enter")
    own.locator("table").wait_for()
    assert own.locator("tbody tr").count() == 2 * 4
    assert own.locator("thead th").all_text_contents() == ["series", "rounds done", "loss per response token"]


def test_every_control_is_reached_by_the_keyboard(page: Page) -> None:
    controls = "[...document.querySelectorAll('main :is(button, input, canvas, summary), #theme, nav a')]"
    wanted = page.evaluate(f"{controls}.filter(own => own.checkVisibility() && !own.disabled).length")
    reached = set()
    for _ in range(2 * wanted):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"{controls}.indexOf(document.activeElement)"))
    assert len(reached - {-1}) == wanted > 60
