from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from fedmezo.data.partition import ClientData, Partition
from fedmezo.reporting.partition_plot import draw_partition

pytestmark = pytest.mark.pictures
BLUE, ORANGE, GREEN = (0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E), (0x2C, 0xA0, 0x2C)
GREY = (0xBF, 0xBF, 0xBF)
Categories = list[str | None]


def divided(num_examples: int, num_clients: int) -> Partition:
    """Deal examples in turn; a client's last two are for validation and test."""
    parts = [np.arange(client, num_examples, num_clients) for client in range(num_clients)]
    return Partition(tuple(ClientData(part[:-2], part[-2:-1], part[-1:]) for part in parts))


def picture(folder: Path, partition: Partition, categories: Categories) -> NDArray[np.uint8]:
    draw_partition(folder / "partition.png", partition, categories)
    return np.round(matplotlib.image.imread(folder / "partition.png")[..., :3] * 255).astype(np.uint8)


def area(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """Return how many pixels have a colour."""
    return int((np.abs(image.astype(int) - colour).max(axis=-1) <= 1).sum())


def test_areas_are_in_proportion_to_categories_the_commonest_first(tmp_path: Path) -> None:
    image = picture(tmp_path, divided(120, 3), [*"aab"] * 40)
    assert area(image, BLUE) == pytest.approx(2 * area(image, ORANGE), rel=0.03)
    assert area(image, GREEN) == 0


def test_without_categories_the_parts_are_the_splits(tmp_path: Path) -> None:
    image = picture(tmp_path, divided(60, 3), [None] * 60)
    areas = [area(image, colour) for colour in (BLUE, ORANGE, GREEN)]
    assert areas[0] == pytest.approx(18 * areas[1], rel=0.1) and areas[1] == pytest.approx(areas[2], rel=0.1)


def test_rare_categories_are_one_grey_part(tmp_path: Path) -> None:
    common: Categories = [f"kind {index}" for index in range(9)]
    rare: Categories = [f"rare {index}" for index in range(9)]
    image = picture(tmp_path, divided(81, 3), common * 8 + rare)
    assert area(image, GREY) == pytest.approx(area(image, BLUE) * 9 / 8, rel=0.1)
    assert area(picture(tmp_path, divided(72, 3), common * 8), GREY) < 100  # the edges of letters


@pytest.mark.parametrize(("num_clients", "height"), [(1, 324), (3, 324), (20, 1032), (300, 1680)])
def test_the_picture_is_as_high_as_its_bars_need(tmp_path: Path, num_clients: int, height: int) -> None:
    categories: Categories = [None for _ in range(4 * num_clients)]
    image = picture(tmp_path, divided(4 * num_clients, num_clients), categories)
    assert image.shape[:2] == (height, 1080)


@pytest.mark.parametrize("name", ["_hidden", "$x$ and $", "a" * 200, "日本"])
def test_any_name_may_stand_in_the_legend(tmp_path: Path, name: str) -> None:
    named = picture(tmp_path, divided(12, 2), [name] * 12)
    blank = picture(tmp_path, divided(12, 2), [" "] * 12)
    assert not np.array_equal(named[:, 900:], blank[:, 900:])
