"""The model of a run as it was after any of its rounds, rebuilt from the base model and what the run recorded."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor, nn
from yacs.config import CfgNode

from fedmezo.assembly import RunSpec, TrainableModel, assemble_model, assemble_run_spec, assemble_server, scalars_travel
from fedmezo.assembly.classification import asked_task, assemble_prompt
from fedmezo.assembly.identity import as_recorded
from fedmezo.commands.best_model import load_best
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.extensions import import_extensions
from fedmezo.core.log import LOG
from fedmezo.core.run_folder import RunFolder
from fedmezo.data.examples import Example
from fedmezo.data.prompts import Prompt
from fedmezo.federation.selection import best_evaluation
from fedmezo.ledger.ledger import Ledger, check_same
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.models.answers import endings
from fedmezo.models.generation import Sampling, generate

RoundSelector = int | str  # the latter: final, best


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A model to talk to.

    Args:
        trainable: the model, standing at its initial point.
        prompt: how the run put its examples to it.
        point: the trained parameters, fp32 [d].
        rounds_done: they were trained for.
        began: the round after which their replay began: that of a snapshot, or 0; None where they were saved as such.
        words: that it chooses among, where it was trained to classify.
    """

    trainable: TrainableModel
    prompt: Prompt
    point: Tensor
    rounds_done: int
    began: int | None = None
    words: tuple[str, ...] = ()

    def answer(self, question: str, sampling: Sampling, stop: Callable[[], bool], *, tuned: bool) -> str:
        """Return the answer of the tuned model, or of the base model."""
        tokenizer = self.trainable.tokenizer
        text = self.prompt(Example(question, "", "", None))
        tokens = tokenizer.encode([text], special=not self.prompt.bare)[0]
        point = self.point if tuned else self.trainable.start
        with self.trainable.scorer.at(point) as model, nullcontext() if tuned else _without_adapter(model):
            if self.words:
                return self._chosen(model, tokens)
            return tokenizer.decode(
                generate(model, tokens, endings(tokenizer, self.prompt.ending), sampling, stop)
            ).strip()

    @torch.inference_mode()
    def _chosen(self, model: nn.Module, tokens: Sequence[int]) -> str:
        """Return the label words, the likeliest first, with the share that each has among them."""
        ids = torch.tensor([list(tokens)], device=self.trainable.parameters.buffer.device)
        said = model(input_ids=ids).logits[0, -1, list(self.trainable.scorer.label_tokens)]
        shares = dict(zip(self.words, said.float().softmax(dim=0).tolist(), strict=True))
        return ", ".join(
            f"{word} {100 * shares[word]:.0f} %" for word in sorted(shares, key=shares.__getitem__, reverse=True)
        )


def _without_adapter(model: nn.Module) -> AbstractContextManager[None]:
    return model.disable_adapter() if isinstance(model, PeftModel) else nullcontext()


def rebuild(cfg: CfgNode, folder: RunFolder, wanted: RoundSelector, *, fresh: bool = False) -> Rebuilt:
    """Load the model of a run and put its training into it; the data are not needed.

    Args:
        cfg: of the run.
        folder: of the run.
        wanted: a number of rounds, final, or best.
        fresh: replay from the base model on, also where there is a snapshot.

    Raises:
        ConfigurationError: the run has no such round, or kept nothing of it.
        ResourceError: the run has no rounds, is being trained, or model and records do not belong together.
    """
    import_extensions(cfg.extensions)
    with folder.read():
        store = _store(cfg, folder)
        if store.ledger.fault:
            LOG.warning(store.ledger.damage())
        done = _chosen(cfg, store, wanted)
        trainable = assemble_model(cfg, movable=False)
        spec = assemble_run_spec(cfg, trainable)
        _check_same(spec, store.ledger)
        began = None
        if wanted == "best" and cfg.llm.adapter.use and not spec.scalars:
            point = load_best(trainable, store.ledger, done, folder.path / "adapter_best")
        else:
            server = assemble_server(spec)
            began = server.restore(store, done, fresh=fresh).began
            point = server.parameters
    task = asked_task(cfg)
    prompt = assemble_prompt(cfg, task, trainable.tokenizer)
    return Rebuilt(trainable, prompt, point, done, began, task.classes if task else ())


def rounds_done(cfg: CfgNode, folder: RunFolder, wanted: RoundSelector) -> int:
    """Return how many rounds were done at the wanted point; no model is loaded.

    Raises:
        ConfigurationError: the run has no such round, or kept nothing of it.
        ResourceError: the run has no rounds, or is being trained.
    """
    with folder.read():
        return _chosen(cfg, _store(cfg, folder), wanted)


def _store(cfg: CfgNode, folder: RunFolder) -> Store:
    return Store(Ledger(folder.ledger), Snapshots(folder.snapshots), cfg.federate.save_freq)


def _check_same(spec: RunSpec, ledger: Ledger) -> None:
    """Make sure that model and configuration are the run's; what extensions say has no part in rebuilding."""
    assert ledger.header is not None
    unused = ("files", "federate.participation")
    recorded = ledger.header.configuration
    own = as_recorded(spec.configuration, recorded) | {name: recorded.get(name) for name in unused}
    check_same(ledger, own, spec.hashes)


def _chosen(cfg: CfgNode, store: Store, wanted: RoundSelector) -> int:
    """Return the number of rounds that were done at the wanted point."""
    done = len(store.ledger.rounds())
    if done == 0:
        raise ResourceError(f"{store.ledger.path}\n    no round of this run is finished yet")
    if wanted == "final":
        return done
    if wanted == "best":
        best = best_evaluation(store.ledger.evaluations(), cfg.eval.best_res_update_round_wise_key)
        if best is None:
            raise ConfigurationError("--round best\n    no evaluation of this run gave a finite result")
        if cfg.llm.adapter.use and not scalars_travel(cfg):
            return best.rounds_done  # its adapter is kept
        wanted = best.rounds_done
    return _rebuildable(cfg, store, int(wanted), done)


def _rebuildable(cfg: CfgNode, store: Store, wanted: int, done: int) -> int:
    """Return the wanted round if it can be rebuilt: any where scalars travel, else one with a snapshot."""
    scalars = scalars_travel(cfg)
    kept = range(done + 1) if scalars else [0, *(number for number in store.snapshots.rounds() if number <= done)]
    if wanted not in kept:
        expected = f"0 to {done}" if scalars else f"one of {', '.join(map(str, kept))} (only their weights are kept)"
        nearest = min(kept, key=lambda number: abs(number - wanted))
        raise ConfigurationError(f"--round {wanted}\n    expected {expected}, best or final; the nearest is {nearest}")
    return wanted
