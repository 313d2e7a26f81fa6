import json

import numpy as np

from fedmezo.data.partition import ClientData, Partition
from fedmezo.data.partition_table import partition_table


def client(train: list[int], val: list[int], test: list[int]) -> ClientData:
    return ClientData(*(np.array(part, dtype=np.int64) for part in (train, val, test)))


PARTITION = Partition((client([0, 5], [2], []), client([1, 3], [], [4])), ("small",))
CATEGORIES = ["x", "y", "x", "x", None, "y"]


def test_the_union_is_ascending() -> None:
    assert PARTITION.union("train").tolist() == [0, 1, 3, 5]
    assert PARTITION.union("test").tolist() == [4]


def test_the_hash_sees_every_index_client_and_split() -> None:
    others = [
        Partition((client([0, 5], [2], []), client([1, 3], [4], []))),
        Partition((client([0], [2], []), client([1, 3, 5], [], [4]))),
        Partition((client([1, 3], [], [4]), client([0, 5], [2], []))),
        Partition((client([0, 6], [2], []), client([1, 3], [], [4]))),
    ]
    assert len({other.hash() for other in [PARTITION, *others]}) == 5
    assert PARTITION.hash() == Partition(PARTITION.clients).hash()


def test_the_hash_is_the_committed_one() -> None:
    assert PARTITION.hash() == "c6d083a8823869a75864952d0889e2b5"


def test_there_are_counts_per_client_split_and_category() -> None:
    content = json.loads(json.dumps(PARTITION.counts(CATEGORIES)))
    assert content[1] == {
        "train": {"examples": 2, "categories": {"x": 1, "y": 1}},
        "val": {"examples": 0, "categories": {}},
        "test": {"examples": 1, "categories": {"(none)": 1}},
    }


def test_the_table_is_aligned_with_common_categories_first() -> None:
    assert partition_table(PARTITION, CATEGORIES).splitlines() == [
        "client  train  val  test  x  y  (none)",
        "     0      2    1     0  2  1       0",
        "     1      2    0     1  1  1       1",
    ]


def test_without_categories_the_table_has_no_columns_for_them() -> None:
    assert partition_table(PARTITION, [None] * 6).splitlines()[0] == "client  train  val  test"


def test_rare_categories_are_summed_up() -> None:
    categories = [f"category {index:02d} with a long name" for index in range(15)] + ["category 00 with a long name"]
    whole = Partition((client(list(range(16)), [], []),))
    header, row = partition_table(whole, categories).splitlines()
    assert header.count("category") == 12 and header.endswith("other")
    assert row.split()[4:] == ["2", *["1"] * 11, "3"]
