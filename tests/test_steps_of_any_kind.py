"""Of every estimator and kind of step, the same bits: rebuilt from the ledger, gone on with where it was torn, with
clients in step, and on a node that was away.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from yacs.config import CfgNode

from fedmezo import config
from fedmezo.assembly.node import assemble_node
from fedmezo.federation.communication import Downlink
from fedmezo.federation.messages import Reply, Task, unpack_order
from fedmezo.models.hashing import point_hash
from fedmezo.replay import main as replay
from fedmezo.zeroth_order import estimators, steps
from tests.test_main import Run, resume, train

Write = Callable[..., Path]


@pytest.fixture
def overrides(estimator: str, step: str, blocks: int, where: str) -> list[str]:
    """Return the words of a cell: two rounds, two queries."""
    trained = {"adapter": (), "all parameters": ("llm.adapter.use", "False", "train.optimizer.lr", "1e-3")}
    kind = ("zo.estimator", estimator, "zo.normalise", step, "zo.blocks", str(blocks), "zo.queries", "2")
    rounds = ("federate.hash_freq", "1", "eval.freq", "1", "federate.total_round_num", "2")
    return [*kind, *trained[where], *rounds, "federate.client_num", "2", "data.num_examples", "40"]


@pytest.mark.covering(2)
@pytest.mark.parametrize("where", ["adapter", "all parameters"])
@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("step", sorted(steps.registry.names()))
@pytest.mark.parametrize("estimator", sorted(estimators.registry.names()))
def test_the_same_bits(overrides: list[str], tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_yaml()
    whole = train(path, "whole", *overrides)
    capsys.readouterr()
    assert replay([str(whole.folder), "--verify"]) == 0
    assert "2 of 2 recorded hashes" in capsys.readouterr().out
    together = train(path, "together", *overrides, "engine.lanes", "2")
    assert together.ledger().hashes() == whole.ledger().hashes()
    torn = train(path, "torn", *overrides, "federate.total_round_num", "1")
    with (torn.folder / "ledger.bin").open("ab") as ledger:  # killed while it wrote the next record
        ledger.write(whole.ledger_bytes()[len(torn.ledger_bytes()) :][:20])
    assert resume(torn, "federate.total_round_num", "2").ledger_bytes() == whole.ledger_bytes()
    assert caught_up(config.load(path, overrides), whole) == whole.ledger().hashes()[2]


def caught_up(cfg: CfgNode, run: Run) -> bytes:
    """Return the hash of the parameters of a node that does its first work after the rounds of a run."""
    node = assemble_node(cfg).node
    downlink = Downlink(node.identity, node.parameters.numel(), scalars=True)
    for record in run.ledger().rounds():
        downlink.observe(record)
    order = downlink.order(Task(downlink.rounds, 0, 0.01, 1), node.parameters, known=0)
    assert isinstance(node(unpack_order(order)), Reply)
    return point_hash(node.parameters)
