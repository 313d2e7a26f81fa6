"""A run, from loading the model to the last line it prints: what ``main`` does once the configuration stands."""

import filecmp
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from torch import Tensor
from yacs.config import CfgNode

from fedmezo.assembly import (
    Federation,
    LearningTask,
    assemble_answer_evaluations,
    assemble_evaluator,
    assemble_federation,
    assemble_learning_task,
    precision_warnings,
)
from fedmezo.assembly.callbacks import assemble_callbacks
from fedmezo.assembly.engine import assemble_failure_policy
from fedmezo.assembly.identity import as_recorded
from fedmezo.assembly.task import shown_metrics
from fedmezo.commands.best_model import check_best, mend_best, recorded_hash
from fedmezo.commands.classification import run_baselines
from fedmezo.commands.saved_check import few_examples, trained
from fedmezo.commands.spent_forwards import spent_forwards
from fedmezo.config import dump, to_dict, unused
from fedmezo.core.environment import environment
from fedmezo.core.errors import ConfigurationError, DivergedError, ResourceError, SavedError
from fedmezo.core.interrupt import ending, graceful_stop, undisturbed
from fedmezo.core.log import LOG, RESULT, in_file
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import aligned
from fedmezo.evaluation.answers import AnswerEvaluations
from fedmezo.federation.callbacks import Callbacks
from fedmezo.federation.communication import paper_bytes
from fedmezo.federation.evaluations import Evaluations
from fedmezo.federation.rounds import Outcome, Training
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.models.adapters import save_trained
from fedmezo.reporting.callbacks import RunContext
from fedmezo.reporting.metrics import read_metrics
from fedmezo.reporting.next_steps import next_steps, resume_command
from fedmezo.reporting.partition_plot import draw_partition
from fedmezo.reporting.summary import summarize, summary_table

ENDED = ("completed", "stopped early")


class Trained(NamedTuple):
    """Where a run is, and how it ended: completed, stopped early, or interrupted."""

    folder: RunFolder
    outcome: str


def run(cfg: CfgNode, make_folder: Callable[[], RunFolder]) -> Trained:
    """Run a configuration, or what is left of it if its folder holds rounds already.

    Args:
        cfg: checked and complete.
        make_folder: called once model and data are there, so that a run which cannot start leaves nothing behind.

    Raises:
        FedmezoError: what went wrong; everything computed so far is on the disk.
    """
    callbacks = Callbacks()
    task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, task, callbacks.on_step)
    with graceful_stop() as stop_requested:
        with undisturbed():
            folder = make_folder()
        with folder.locked(), in_file(folder.log):
            folder.clear_scratch()
            outcome: str
            try:
                outcome = _train(cfg, task, federation, folder, callbacks, stop_requested)
            except KeyboardInterrupt:
                outcome = "interrupted"
            if outcome == "interrupted":
                LOG.error(f"fedmezo: interrupted; to go on: {resume_command(folder.path)}")
    return Trained(folder, outcome)


def _train(
    cfg: CfgNode,
    task: LearningTask,
    federation: Federation,
    folder: RunFolder,
    callbacks: Callbacks,
    stop_requested: Callable[[], bool],
) -> Outcome | Literal["diverged", "failed"]:
    training = _training(cfg, task, federation, folder, callbacks)
    answers = assemble_answer_evaluations(cfg, task, folder.answers)
    answers.run(0, task.start)  # before past rounds move the start, where there is one point only
    past = federation.server.restore(training.store).rounds
    outcome: Outcome | Literal["diverged", "failed"] = "failed"
    try:
        _describe(folder, cfg, task)
        _observe(callbacks, cfg, federation, folder, training, past)
        engine = federation.engine
        with engine if isinstance(engine, AbstractContextManager) else nullcontext():
            outcome = training.run(stop_requested)
        if outcome in ENDED:
            answers.run(len(training.store.ledger.rounds()), training.server.parameters)
    except KeyboardInterrupt:
        outcome = "interrupted"
    except DivergedError:
        outcome = "diverged"
        raise
    finally:
        with ending(), ExitStack() as last:
            last.callback(
                _finish, cfg, folder, task, federation, training, answers, outcome
            )  # whatever becomes of pictures
            callbacks.close()
    return outcome


def _check_rounds(cfg: CfgNode, past: list[RoundRecord]) -> None:
    if len(past) > cfg.federate.total_round_num:
        raise ConfigurationError(
            f"federate.total_round_num = {cfg.federate.total_round_num}\n"
            f"    {len(past)} rounds are done already; only more can be asked for"
        )


def _describe(folder: RunFolder, cfg: CfgNode, task: LearningTask) -> None:
    LOG.info(task.describe())
    LOG.info(task.data.outline())
    of_data = (f"warning: {each}" for each in task.data.warnings)
    for warning in (*unused(cfg), *of_data, *precision_warnings(cfg, task.scorer)):
        LOG.warning(warning)
    folder.write_text("config.yaml", dump(cfg))
    folder.write_json("environment.json", environment())
    folder.write_json("partition.json", task.data.to_json())
    draw_partition(folder.path / "partition.png", task.data.partition, task.data.categories)


def _training(
    cfg: CfgNode,
    task: LearningTask,
    federation: Federation,
    folder: RunFolder,
    callbacks: Callbacks,
) -> Training:
    if (folder.path / "ledger.jsonl").exists():
        raise ResourceError(f"{folder.path}\n    recorded by an earlier version, which can go on with it")
    ledger = Ledger(folder.ledger)
    if ledger.header is None and not ledger.fault and read_metrics(folder.metrics):
        raise ResourceError(f"{folder.ledger}\n    the ledger is gone, and the run cannot go on without it")
    _check_rounds(cfg, ledger.rounds())
    header, recorded = federation.header, ledger.header.configuration if ledger.header else {}
    ledger.begin(replace(header, configuration=as_recorded(header.configuration, recorded)))
    store = Store(ledger, Snapshots(folder.snapshots), cfg.federate.save_freq, cfg.federate.hash_freq)
    store.roll_back(task.parameters.size)
    key = cfg.eval.best_res_update_round_wise_key
    best = folder.path / "adapter_best"

    def save_best(parameters: Tensor) -> None:
        _save(task, parameters, folder, best.name)

    mend_best(task, store, key, best, federation.new_server, save_best)
    evaluations = Evaluations(
        evaluator=assemble_evaluator(cfg, task, callbacks.on_evaluated),
        ledger=ledger,
        examples_file=folder.examples,
        every=cfg.eval.freq,
        key=key,
        patience=cfg.early_stop.patience,
        save_best=save_best,
        records=ledger.evaluations(),
    )
    return Training(
        federation.server,
        federation.engine,
        assemble_failure_policy(cfg),
        store,
        evaluations,
        federation.downlink,
        callbacks,
        total_rounds=cfg.federate.total_round_num,
        max_nonfinite=cfg.llm.max_nonfinite,
        counter=federation.executor.counter,
    )


def _observe(
    callbacks: Callbacks,
    cfg: CfgNode,
    federation: Federation,
    folder: RunFolder,
    training: Training,
    past: list[RoundRecord],
) -> None:
    if past:
        training.finish_round()  # the run was stopped between a round and what follows from it
    evaluations = training.evaluations
    context = RunContext(
        folder.path,
        to_dict(cfg),
        steps=[sum(federation.server.sample(index).values()) for index in range(training.total_rounds)],
        past=training.reports(past, training.downlink),
        evaluations=tuple(evaluations.records),
        metrics=shown_metrics(cfg, evaluations.evaluator.metrics),
    )
    for callback in assemble_callbacks(cfg, context):  # each is closed, also where the next cannot be made
        callbacks.add(callback)


def _finish(
    cfg: CfgNode,
    folder: RunFolder,
    task: LearningTask,
    federation: Federation,
    training: Training,
    answers: AnswerEvaluations,
    outcome: str,
) -> None:
    """Save the model and say how the run went; also after a failure, for what was done before it."""
    if not training.evaluations.records:
        return
    _save(task, training.server.parameters, folder, "adapter")
    reports = training.reports(training.store.ledger.rounds(), federation.new_downlink())
    evaluations = training.evaluations
    last = evaluations.records[-1].rounds_done
    changes = evaluations.changes(0, last, shown_metrics(cfg, task.metrics))
    summary = summarize(outcome, reports, evaluations.records, evaluations.best, changes, folder.metrics)
    if task.data.words:
        summary["baselines"] = run_baselines(task, evaluations, with_thresholds=outcome in ENDED)
    if federation.executor.counter:
        summary |= spent_forwards(task, folder.metrics)
    if found := answers.results(len(reports)):
        summary["answers"] = found
    summary["paper_bytes"] = {"sent": paper_bytes(federation.scalars), "as_weights": paper_bytes(scalars=False)}
    folder.write_json("summary.json", summary)
    try:
        _check_saved(cfg, folder, task, training, outcome)
        if cfg.federate.save_to and outcome in ENDED:
            _copy_adapter(folder, Path(cfg.federate.save_to))
    except SavedError:
        summary["outcome"] = "saved wrongly"  # not to be taken for a run that can be used
        folder.write_json("summary.json", summary)
        raise
    finally:
        LOG.log(RESULT, summary_table(summary, changes, task.parameters.size, task.start.element_size()))
        LOG.log(RESULT, "\n" + aligned(next_steps(folder.path, summary["outcome"], len(reports))))


def _check_saved(cfg: CfgNode, folder: RunFolder, task: LearningTask, training: Training, outcome: str) -> None:
    """Make sure that what was saved is what was trained; a run that failed has another error to tell, and may go on.

    The best adapter is written in the same way, so that it is compared by the hash of its point alone.

    Raises:
        SavedError: it is not.
    """
    if outcome in ("failed", "diverged"):
        return
    expected = trained(task, training.server.parameters, few_examples(cfg, task, task.data))
    expected.check(folder.path / "adapter", whole=not cfg.llm.adapter.use)
    best, ledger = training.evaluations.best, training.store.ledger
    if best is None or recorded_hash(ledger, best.rounds_done) is None:
        return
    try:
        check_best(task, ledger, best.rounds_done, folder.path / "adapter_best")
    except ResourceError as error:
        raise SavedError(
            f"{error}\n    do not use it; fedmezo replay RUN --round best --export adapter writes it anew"
        ) from error


def _copy_adapter(folder: RunFolder, target: Path) -> None:
    saved = folder.path / "adapter"
    try:
        shutil.copytree(saved, target, dirs_exist_ok=True)
        names = [path.name for path in saved.iterdir()]
        _, *others = filecmp.cmpfiles(saved, target, names, shallow=False)
    except (OSError, shutil.Error) as error:
        raise ResourceError(
            f"federate.save_to = {target}\n    the adapter is in {folder.path}, but could not be copied: {error}"
        ) from error
    if different := sorted(chain(*others)):
        raise SavedError(f"federate.save_to = {target}\n    the copy of {saved} is another: {', '.join(different)}")


def _save(task: LearningTask, parameters: Tensor, folder: RunFolder, name: str) -> None:
    def write(scratch: Path) -> None:
        with task.scorer.at(parameters) as model:
            save_trained(model, scratch, task.tokenizer)

    folder.write_folder(name, write)
