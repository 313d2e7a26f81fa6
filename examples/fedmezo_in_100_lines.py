"""FedMeZO in 100 lines: federated fine-tuning of a language model without backpropagation.

The algorithm of Ling et al., "On the convergence of zeroth-order federated tuning for large language models" (KDD 2024,
arXiv 2402.05926), from its pseudo-code, on the parts that the framework has for it: directions, scoring, replay. The
framework's own run gives the same bits, with FedAvg, central differences of one query and a fixed rate: other choices
of a configuration are not read here. It adds evaluation, a ledger to verify a run by and go on from, and deployment.

    python examples/fedmezo_in_100_lines.py configs/word_problems.yaml

N clients have data of their own, f_i being the loss on those of client i. They minimise f(theta) = sum_i p_i f_i(theta)
over the trainable parameters theta of a model, d of them: those of an adapter, say.
"""

import sys
from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor
from yacs.config import CfgNode

import fedmezo
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.client_batches import batch_indices
from fedmezo.models.hashing import point_hash
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.replay import Replay, Steps


class Sent(NamedTuple):
    """What a client sends in a round: a scalar for each local step. Nothing has the size of the model."""

    client: int
    gradients: np.ndarray  # projected gradients g, fp32 [H, 1]
    examples: int  # that it trained on
    loss: float  # mean over its steps, in fp32; reported only


def fedmezo_rounds(cfg: CfgNode, task: LearningTask) -> Iterator[tuple[Tensor, float]]:
    """Yield, after each round, the global parameters theta [d] and the mean loss of training.

    Algorithm 1. For round r = 0 .. R - 1:

    1. The server draws N clients and sends them what they lack of the scalars of past rounds: they have theta too.
    2. Each client i takes H local steps from theta, and sends g_i,0 .. g_i,H-1.
    3. The server averages where they got to: theta <- sum_i p_i theta_i,H.
    """
    replay = Replay(task.parameters.decay_runs(), cfg.train.optimizer.weight_decay, task.scorer.directions)
    theta = task.start
    for r in range(cfg.federate.total_round_num):
        sent = [local_steps(cfg, task, replay, theta, r, client) for client in participants(cfg, r)]
        theta = average(cfg, replay, theta, r, sent)
        total = sum(each.examples for each in sent)
        yield theta, sum(each.examples * each.loss for each in sent) / total


def participants(cfg: CfgNode, r: int) -> list[int]:
    """Return the clients of round r."""
    count = cfg.federate.sample_client_num or cfg.federate.client_num
    draw = generator(stream_key(cfg.seed, "sample", round_index=r))
    return sorted(draw.choice(cfg.federate.client_num, size=count, replace=False).tolist())


def directions(cfg: CfgNode, r: int, client: int) -> list[list[int]]:
    """Return the seeds of the directions z in R^d of a client's local steps [H, 1].

    They follow from the run's seed: everybody knows them, so that no z has to travel, or to be kept.
    """
    steps = range(cfg.train.local_update_steps)
    return [[stream_key(cfg.seed, "direction", round_index=r, client=client, step=h, query=0)] for h in steps]


def local_steps(cfg: CfgNode, task: LearningTask, replay: Replay, theta: Tensor, r: int, client: int) -> Sent:
    """Take H steps of zeroth-order SGD from theta on the data of a client.

    z ~ N(0, I_d),  g = (L(theta + mu z; B) - L(theta - mu z; B)) / (2 mu),  theta <- theta - eta g z
    """
    own, size, mu = task.data.partition.clients[client].train, cfg.dataloader.batch_size, cfg.zo.mu
    horizon, seeds, theta_i = cfg.train.local_update_steps, directions(cfg, r, client), theta
    gradients, losses = np.zeros((horizon, 1), dtype=np.float32), []
    for h in range(horizon):
        batch = task.collate(own[batch_indices(len(own), size, (r * horizon + h) * size, cfg.seed, client)])
        # both losses in one forward pass, which never writes to the model's parameters
        above, below = task.scorer.losses(theta_i, [Lane(seeds[h][0], mu), Lane(seeds[h][0], -mu)], batch)
        gradients[h] = (above - below) / (2.0 * mu)
        losses.append(above)
        # a point is the replay of the scalars that led to it: theta - sum_h eta g_h z_h
        theta_i = replay(theta, [Steps(seeds[: h + 1], gradients[: h + 1], cfg.train.optimizer.lr)])
    return Sent(client, gradients, horizon * size, float(np.float32(fsum(losses) / horizon)))


def average(cfg: CfgNode, replay: Replay, theta: Tensor, r: int, sent: list[Sent]) -> Tensor:
    """Return sum_i p_i theta_i,H = theta - sum_i p_i sum_h eta g_i,h z_i,h, with p_i by the examples trained on.

    FedAvg is a replay as well: the server needs the scalars and no parameters of the clients.
    """
    eta, total = cfg.train.optimizer.lr, sum(each.examples for each in sent)
    return replay(
        theta,
        [Steps(directions(cfg, r, each.client), each.gradients, eta, each.examples / total) for each in sent],
    )


def main(path: str) -> None:
    """Train, and print for each round the loss and the hash of the parameters, as a ledger has it."""
    cfg = fedmezo.load_config(path)
    for theta, loss in fedmezo_rounds(cfg, assemble_learning_task(cfg)):
        print(f"train loss {loss:.4f}, parameters {point_hash(theta).hex()}")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else str(Path(__file__).parents[1] / "configs" / "word_problems.yaml"))
