"""The library behind ``import fedmezo``: what the programs do, for a script or a notebook.

Errors are exceptions (:class:`fedmezo.FedmezoError`), never the end of the process. Handlers of signals, the number of
torch's threads and what transformers says are afterwards as they were before.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from yacs.config import CfgNode

from fedmezo import config as configuration
from fedmezo.commands import runner, shipped
from fedmezo.commands.arguments import read_run
from fedmezo.config.overrides import as_words
from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.files import whole_lines
from fedmezo.core.installed import check_installed
from fedmezo.core.network import check_hub_variables
from fedmezo.core.process import check_docstrings, known_errors
from fedmezo.core.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from fedmezo.commands.load_run import Rebuilt
    from fedmezo.ledger.ledger import Ledger

Overrides = Mapping[str, Any]
Rounds = int | Literal["final", "best"]


def load_config(config: str | os.PathLike[str], overrides: Overrides | None = None) -> CfgNode:
    """Return a configuration, checked and complete with every default. Nothing heavy is imported.

    Args:
        config: a YAML file, or the name of a shipped configuration (``fedmezo config list``).
        overrides: values by dotted key, as ``{"zo.mu": 1e-3}``.

    Returns:
        A frozen tree, ``cfg.zo.mu``; lists in it are tuples.

    Raises:
        ConfigurationError: something is wrong; the message lists everything that is.
    """
    with _errors():
        return configuration.load(shipped.find(os.fspath(config)), as_words(overrides or {}))


def run(config: str | os.PathLike[str], overrides: Overrides | None = None, *, quiet: bool = False) -> "Run":
    """Train, as a configuration says, and return the run.

    Progress goes to stderr, the summary to stdout. Ctrl-C finishes the round at hand, saves, and raises
    KeyboardInterrupt; :meth:`Run.resume` goes on. Where ``engine.type`` starts processes, a script has to guard
    its own code by ``if __name__ == "__main__"``, as Python's multiprocessing asks for.

    Args:
        config: a YAML file, or the name of a shipped configuration (``fedmezo config list``).
        overrides: values by dotted key, as ``{"federate.total_round_num": 5}``.
        quiet: say nothing but errors.

    Raises:
        ConfigurationError: the configuration is wrong, or there is a run of its name.
        ResourceError: data, a model, memory or disk space cannot be had.
        DivergedError: too many losses were not finite; what was done before is saved.
        ClientError: a client failed; what was done before is saved.
        SavedError: what was saved is not what was trained.
    """
    with _errors():
        prepared = runner.new_run(shipped.find(os.fspath(config)), as_words(overrides or {}))
        return _trained(prepared, quiet=quiet)


def open_run(folder: str | os.PathLike[str]) -> "Run":
    """Return a run that is on the disk, finished or not.

    Raises:
        ResourceError: there is no run in the folder.
    """
    with _errors():
        return Run(run_folder.existing(Path(folder)))


class Run:
    """A run: what its folder holds, read when it is asked for.

    Attributes:
        path: of the folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.path = folder.path

    def __repr__(self) -> str:
        """Return how the run is opened again."""
        return f"fedmezo.open_run({str(self.path)!r})"

    @cached_property
    def config(self) -> CfgNode:
        """Its configuration, complete: a frozen tree.

        Raises:
            ConfigurationError: it is wrong.
        """
        with _errors():
            return configuration.load(self._folder.config, recorded=True)

    @property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` says: ``outcome``, ``rounds``, ``losses``, ``best``, bytes and seconds.

        Raises:
            ResourceError: the run has not come to an end yet, be it an interruption.
        """
        path = self.path / "summary.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ResourceError(f"{path}\n    the run is not at an end, or damaged: {error}") from error

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A record for each round, as in ``metrics.jsonl``.

        ``round``, ``train_loss``, the results of evaluated splits (``test_loss``), ``seconds``, ``peak_memory_mib``,
        and under ``clients`` a record for each client that took part: ``client``, ``loss``, ``learning_rate``,
        ``samples``, ``bytes_up``, ``bytes_down``.
        """
        with _errors():
            return whole_lines(self._folder.metrics)

    def frame(self, *, clients: bool = False) -> "pd.DataFrame":
        """Return the metrics as a frame of pandas: a row for each round, which is the index.

        Args:
            clients: a row for each round and client instead.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        check_installed("Run.frame()", {"pandas": "llm"})
        import pandas as pd

        if clients:
            rows = [{"round": row["round"], **client} for row in self.metrics for client in row["clients"]]
            return pd.DataFrame(rows, columns=None if rows else ["round", "client"]).set_index(["round", "client"])
        rows = [{key: value for key, value in row.items() if not isinstance(value, list)} for row in self.metrics]
        return pd.DataFrame(rows, columns=None if rows else ["round"]).set_index("round")

    @property
    def ledger(self) -> "Ledger":
        """The log that determines the run: ``rounds()``, ``evaluations()``, ``hashes()``, ``header``.

        Raises:
            ResourceError: it cannot be read, or is none.
        """
        from fedmezo.ledger.ledger import Ledger

        with _errors():
            return Ledger(self._folder.ledger)

    def model(self, rounds: Rounds = "final", *, base: str | None = None) -> "TrainedModel":
        """Return the model as it was after some rounds, rebuilt from the base model and the ledger.

        Args:
            rounds: how many of them, 0 for the model before training; final; or best, by
                ``eval.best_res_update_round_wise_key``.
            base: NAME@HUB, where the base model is now, if elsewhere than ``model.type`` says.

        Raises:
            ConfigurationError: there is no such round, or where weights travelled nothing was kept of it.
            ResourceError: the base model cannot be had, or is another one; the run has no rounds, or is being trained.
        """
        if rounds not in ("final", "best") and (type(rounds) is not int or rounds < 0):
            raise ConfigurationError(f"rounds = {rounds!r}\n    expected a number of rounds, best or final")
        with _errors():
            folder, cfg = read_run(self.path, base)
            with _settings_kept():
                from fedmezo.commands.load_run import rebuild

                return TrainedModel(rebuild(cfg, folder, rounds), cfg.llm.chat.max_len)

    def resume(self, overrides: Overrides | None = None, *, quiet: bool = False) -> "Run":
        """Go on with the run, in its folder, and return it: the rounds to come are what they would have been.

        Args:
            overrides: of keys that may change, such as ``{"federate.total_round_num": 10}``.
            quiet: say nothing but errors.

        Raises:
            FedmezoError: as of :func:`run`; ConfigurationError also for a key that may not change.
        """
        with _errors():
            return _trained(runner.begun_run(self.path, as_words(overrides or {})), quiet=quiet)


class TrainedModel:
    """A run's model after some of its rounds.

    Attributes:
        rounds: it was trained for.
        module: of torch, in eval mode, at the trained parameters; with an adapter, a model of peft.
        tokenizer: of transformers.
        parameters: the trained ones, flat, in the order of their names [d].
    """

    rounds: int
    module: "nn.Module"
    tokenizer: Any
    parameters: "Tensor"

    def __init__(self, rebuilt: "Rebuilt", max_tokens: int) -> None:
        self._rebuilt, self._max_tokens = rebuilt, max_tokens
        self.rounds, self.parameters = rebuilt.rounds_done, rebuilt.point
        self.module, self.tokenizer = rebuilt.trainable.model, rebuilt.trainable.tokenizer.tokenizer
        rebuilt.trainable.parameters.write(rebuilt.point)

    def generate(
        self, prompt: str, *, max_tokens: int | None = None, temperature: float = 0.0, seed: int = 0, tuned: bool = True
    ) -> str:
        """Return the answer to a prompt, which is put as the run put its examples.

        Args:
            prompt: a text.
            max_tokens: of the answer, at most (default: ``llm.chat.max_len``).
            temperature: 0 takes the likeliest token each time.
            seed: of the draws, if the temperature is above 0.
            tuned: False for the base model's answer.

        Raises:
            ConfigurationError: the prompt leaves no room for an answer.
        """
        from fedmezo.core.randomness import stream_key
        from fedmezo.models.generation import Sampling

        sampling = Sampling(max_tokens or self._max_tokens, temperature, stream_key(seed, "answer"))
        with _errors():
            return self._rebuilt.answer(prompt, sampling, lambda: False, tuned=tuned)


def _trained(prepared: runner.Prepared, *, quiet: bool) -> Run:
    with _settings_kept():
        trained = runner.train(prepared, quiet=quiet)
    if trained.outcome == "interrupted":
        raise KeyboardInterrupt
    return Run(trained.folder)


@contextmanager
def _errors() -> Iterator[None]:
    """Let what a user can meet out of the block as a FedmezoError."""
    with known_errors(), named_mistakes():
        check_hub_variables()
        check_docstrings()
        yield


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Leave torch's threads and what transformers says as they were."""
    import torch
    from transformers.utils import logging

    threads, verbosity, bars = torch.get_num_threads(), logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        logging.set_verbosity(verbosity)
        (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
