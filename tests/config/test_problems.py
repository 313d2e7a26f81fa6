"""The one message that lists every mistake."""

from .conftest import Mistakes

FIVE = """\
federate:
  client_nun: 3
  total_round_num: 0
  sample_client_num: 9
train:
  optimizer:
    lr: fast

data:
  type: gsm8k
"""


def test_five_mistakes_are_one_message(mistakes: Mistakes) -> None:
    assert mistakes(FIVE) == (
        "5 mistakes in the configuration\n"
        "  my.yaml:2  federate.client_nun = 3\n"
        "      no such key; the nearest is federate.client_num\n"
        "  my.yaml:3  federate.total_round_num = 0\n"
        "      expected an integer >= 1\n"
        "  my.yaml:7  train.optimizer.lr = fast\n"
        "      expected a number > 0, or auto\n"
        "  my.yaml:10  data.type = gsm8k\n"
        "      expected one of alpaca@llm, arithmetic@llm, code_alpaca@llm, gsm8k@llm, "
        "or a path ending in .json, .jsonl, .tsv, .csv, .parquet, .yaml or .yml, "
        "or OWNER/NAME[:CONFIG[:SPLIT]]@hub; the nearest is gsm8k@llm\n"
        "  my.yaml:4  federate.sample_client_num = 9\n"
        "      9 clients cannot be sampled of federate.client_num = 3"
    )


def test_the_command_line_is_a_place(mistakes: Mistakes) -> None:
    message = mistakes("seed: x", "data.spliter", "iid", "device", "[", "verbose")
    assert message.startswith("4 mistakes")
    assert "  my.yaml:1  seed = x\n" in message
    assert "  command line  data.spliter = iid\n      no such key; the nearest is data.splitter" in message
    assert "  command line  device = [\n      not YAML: " in message
    assert message.endswith("  command line  verbose\n      a key without a value; write key value key value ...")


def test_one_mistake_is_singular(mistakes: Mistakes) -> None:
    assert mistakes("seed: x").startswith("1 mistake in the configuration\n")


def test_each_line_of_a_list_and_of_arguments_is_found(mistakes: Mistakes) -> None:
    message = mistakes(
        "llm:\n  adapter:\n    args:\n    - r: 0\n      lora_dropout: 1\neval:\n  split:\n  - val\n  - x\n"
    )
    assert "my.yaml:4  llm.adapter.args[0].r = 0" in message
    assert "my.yaml:5  llm.adapter.args[0].lora_dropout = 1" in message
    assert "my.yaml:9  eval.split[1] = x" in message


def test_items_of_a_tuple_have_its_line(mistakes: Mistakes) -> None:
    assert "my.yaml:3  data.splits[1] = 7" in mistakes("\ndata:\n  splits: (0.5, 7, 0.1)\n")


def test_a_key_without_its_group_is_found_by_its_last_part(mistakes: Mistakes) -> None:
    assert "no such key; the nearest is train.optimizer.lr" in mistakes("lr: 1.0")


def test_an_unknown_group_is_one_mistake_at_its_own_line(mistakes: Mistakes) -> None:
    message = mistakes("fedrate:\n  client_num: 3\n  method: x\n")
    assert message.startswith("1 mistake")
    assert "my.yaml:1  fedrate = client_num: 3 method: x\n      no such key; the nearest is federate" in message


def test_a_dotted_key_in_a_file_is_explained(mistakes: Mistakes) -> None:
    assert "dots are for the command line" in mistakes("train.optimizer.lr: 1.0")


def test_duplicates_name_both_lines(mistakes: Mistakes) -> None:
    message = mistakes("seed: 1\ndata:\n  root: a\n  root: b\ntrain:\nseed: 2\n")
    assert "my.yaml:4  data.root = b\n      given twice; the first is at my.yaml:3" in message
    assert "my.yaml:6  seed = 2\n      given twice; the first is at my.yaml:1" in message


def test_a_long_value_is_shortened(mistakes: Mistakes) -> None:
    shown = mistakes(f"seed: {'x' * 500}").splitlines()[1]
    assert shown.endswith("xxx...")
    assert len(shown) < 100
