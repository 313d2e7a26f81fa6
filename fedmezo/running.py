"""A run, from loading the model to the last line it prints: what ``main`` does once the configuration stands."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from torch import Tensor
from yacs.config import CfgNode

from fedmezo.assembly import (
    Federation,
    Problem,
    assemble_evaluator,
    assemble_federation,
    assemble_problem,
    precision_warnings,
)
from fedmezo.config import dump, to_dict
from fedmezo.environment import environment
from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.federation.evaluations import Evaluations
from fedmezo.federation.rounds import Outcome, Training
from fedmezo.interrupt import graceful_stop, undisturbed
from fedmezo.ledger.log import Log
from fedmezo.ledger.records import RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.models.adapters import save_trained
from fedmezo.run_folder import RunFolder
from fedmezo.tracking import Callbacks
from fedmezo.tracking.metrics import MetricsFile
from fedmezo.tracking.plot import LossPlot
from fedmezo.tracking.progress import ProgressBar
from fedmezo.tracking.summary import summarize, summary_table
from fedmezo.tracking.wandb import WandbLog

# keys that change nothing of what a round computes; the run's folder may be moved, and go on elsewhere
INCIDENTAL = (
    *("outdir", "expname", "verbose", "use_gpu", "device", "wandb", "engine", "eval.batch_size", "data.root"),
    *("federate.total_round_num", "federate.save_to", "federate.save_freq", "early_stop.patience", "llm.cache"),
)


def run(cfg: CfgNode, make_folder: Callable[[], RunFolder]) -> str:
    """Run a configuration, or what is left of it if its folder holds rounds already.

    Args:
        cfg: checked and complete.
        make_folder: called once model and data are there, so that a run which cannot start leaves nothing behind.

    Raises:
        FedmezoError: what went wrong; everything computed so far is on the disk.
    """
    callbacks = Callbacks()
    problem = assemble_problem(cfg)
    federation = assemble_federation(cfg, problem, callbacks.on_step)
    folder = make_folder()
    with folder.locked():
        training = _training(cfg, problem, federation, folder, callbacks)
        past = federation.server.restore(training.store)
        _check_rounds(cfg, past)
        outcome: Outcome | Literal["failed"] = "failed"
        try:
            _describe(folder, cfg, problem)
            _observe(callbacks, cfg, federation, folder, training, past)
            with graceful_stop() as stop_requested:
                outcome = training.run(stop_requested)
        except KeyboardInterrupt:
            outcome = "interrupted"
        finally:
            with undisturbed():
                callbacks.close()
                _finish(cfg, folder, problem, training, outcome)
    return outcome


def _check_rounds(cfg: CfgNode, past: list[RoundRecord]) -> None:
    if len(past) > cfg.federate.total_round_num:
        raise ConfigurationError(
            f"federate.total_round_num = {cfg.federate.total_round_num}\n"
            f"    {len(past)} rounds are done already; only more can be asked for"
        )


def _describe(folder: RunFolder, cfg: CfgNode, problem: Problem) -> None:
    if cfg.verbose > 0:
        print(*[problem.describe(), problem.data.outline(), *precision_warnings(cfg)], sep="\n", file=sys.stderr)
    folder.config.write_text(dump(cfg), encoding="utf-8")
    folder.write_json("environment.json", environment())
    folder.write_json("partition.json", problem.data.partition.to_json(problem.data.categories))


def _training(
    cfg: CfgNode,
    problem: Problem,
    federation: Federation,
    folder: RunFolder,
    callbacks: Callbacks,
) -> Training:
    store = Store(Log(folder.ledger), Snapshots(folder.snapshots), cfg.federate.save_freq)
    store.log.start(
        {
            "format": 1,
            "configuration": _configuration_digest(cfg),
            "parameters": problem.parameters.digest(),
            "initial": _digest(problem.start),
            "partition": problem.data.partition.digest(),
            "data": problem.data.encoded.digest(),
        }
    )
    evaluations = Evaluations(
        evaluator=assemble_evaluator(cfg, problem, callbacks.on_evaluated),
        log=store.log,
        examples_file=folder.examples,
        every=cfg.eval.freq,
        key=cfg.eval.best_res_update_round_wise_key.removesuffix("_loss"),
        patience=cfg.early_stop.patience,
        save_best=lambda parameters: _save(problem, parameters, folder, "adapter_best"),
        records=store.evaluations(),
    )
    return Training(
        federation.server,
        federation.engine,
        store,
        evaluations,
        callbacks,
        total_rounds=cfg.federate.total_round_num,
        max_nonfinite=cfg.llm.max_nonfinite,
    )


def _observe(
    callbacks: Callbacks,
    cfg: CfgNode,
    federation: Federation,
    folder: RunFolder,
    training: Training,
    past: list[RoundRecord],
) -> None:
    server, evaluations = federation.server, training.evaluations
    if past and evaluations.due(server.rounds_done, training.total_rounds):
        evaluations.run(server.rounds_done, server.parameters)  # the run was stopped between round and evaluation
    if cfg.wandb.use:
        callbacks.add(_wandb(cfg, folder))
    reports = [training.report(record) for record in past]
    steps = sum(map(federation.local_data.steps, server.sample(0)))
    callbacks.add(
        MetricsFile(folder.metrics, reports),
        LossPlot(folder.path / "loss.png", reports, evaluations.records),
        ProgressBar(training.total_rounds, server.rounds_done, steps, lines=cfg.verbose > 0),
    )


def _wandb(cfg: CfgNode, folder: RunFolder) -> WandbLog:
    options = cfg.wandb
    return WandbLog(
        folder.path,
        to_dict(cfg),
        project=options.name_project,
        user=options.name_user,
        online=options.online_track,
        clients=options.client_train_info,
    )


def _finish(cfg: CfgNode, folder: RunFolder, problem: Problem, training: Training, outcome: str) -> None:
    """Save the model and say how the run went; also after a failure, for what was done before it."""
    if outcome == "interrupted":
        print(f"\nto go on: python -m fedmezo.main --resume {folder.path}", file=sys.stderr)
    if not training.evaluations.records:
        return
    _save(problem, training.server.parameters, folder, "adapter")
    reports = [training.report(record) for record in training.store.rounds()]
    evaluations = training.evaluations
    changes = evaluations.changes(0, evaluations.records[-1].rounds_done)
    summary = summarize(outcome, reports, evaluations.best, changes, folder.metrics)
    folder.write_json("summary.json", summary)
    if cfg.verbose > 0:
        print(summary_table(summary, changes, problem.parameters.size), flush=True)
        print(f"  {'run':<11}  {folder.path}", flush=True)
    if cfg.federate.save_to and outcome in ("completed", "stopped early"):
        _copy_adapter(folder, Path(cfg.federate.save_to))


def _copy_adapter(folder: RunFolder, target: Path) -> None:
    try:
        shutil.copytree(folder.path / "adapter", target, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise ResourceError(
            f"federate.save_to = {target}\n    the adapter is in {folder.path}, but could not be copied: {error}"
        ) from error


def _save(problem: Problem, parameters: Tensor, folder: RunFolder, name: str) -> None:
    def write(scratch: Path) -> None:
        with problem.scorer.at(parameters) as model:
            save_trained(model, scratch)

    folder.write_folder(name, write)


def _configuration_digest(cfg: CfgNode) -> str:
    """Return a hash of everything that the rounds of a run depend on."""
    algorithm = cfg.clone()
    algorithm.defrost()
    for key in INCIDENTAL:
        section, _, name = key.rpartition(".")
        del (algorithm[section] if section else algorithm)[name]
    return hashlib.blake2b(dump(algorithm).encode(), digest_size=16).hexdigest()


def _digest(parameters: Tensor) -> str:
    return hashlib.blake2b(parameters.cpu().numpy().tobytes(), digest_size=16).hexdigest()
