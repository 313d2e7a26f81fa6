"""What ``python -m fedmezo.replay`` does: a run's model from its ledger, compared and exported."""

import tempfile
import time
from pathlib import Path

from peft import PeftModel
from yacs.config import CfgNode

from fedmezo.assembly.arguments import first_mapping
from fedmezo.commands.load_run import Rebuilt, RoundSelector, rebuild
from fedmezo.commands.saved_check import data_of, few_examples, trained
from fedmezo.core.errors import ConfigurationError, MalformedError, ResourceError
from fedmezo.core.extensions import import_extensions
from fedmezo.core.files import saving
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import aligned, duration, when
from fedmezo.ledger.ledger import Ledger
from fedmezo.models.adapters import merged, methods, save_trained
from fedmezo.models.hashing import point_hash


def replay(
    cfg: CfgNode, folder: RunFolder, wanted: RoundSelector, verify: bool, export: str | None, to: Path | None
) -> str:
    """Rebuild the model of a run and return what was found, as lines of text.

    Args:
        cfg: of the run.
        folder: of the run.
        wanted: a number of rounds, final, or best.
        verify: replay from the base model on, and compare all hashes and the adapter that the run saved.
        export: what to write of it: adapter or merged.
        to: where.

    Raises:
        ConfigurationError: there is no such round, or the adapter cannot be merged.
        ResourceError: the ledger is damaged, or what is rebuilt is not what it holds the hashes of.
    """
    _check_export(cfg, export, to)
    ledger = Ledger(folder.ledger)
    started = time.perf_counter()
    rebuilt = rebuild(cfg, folder, wanted, fresh=verify)
    seconds = time.perf_counter() - started
    rows = [("ledger", _described(ledger)), ("rebuilt", _origin(rebuilt, seconds))]
    rows.append(("parameters", f"{rebuilt.point.numel():,}, hash {point_hash(rebuilt.point).hex()}"))
    if verify:
        rows += _verified(cfg, folder, ledger, rebuilt)
    if export is not None:
        rows.append(("exported", str(_exported(cfg, folder, rebuilt, export, to))))
    text = aligned(rows)
    if verify and ledger.fault:
        print(text)
        raise MalformedError(ledger.damage())
    return text


def _described(ledger: Ledger) -> str:
    rounds, entries = len(ledger.rounds()), sum(1 for _ in ledger.entries())
    size = ledger.path.stat().st_size
    state = "damaged at its end" if ledger.fault else "chain valid"
    return f"{ledger.path}: {rounds} rounds, {entries + 1} records, {size:,} bytes, {state}"


def _origin(rebuilt: Rebuilt, seconds: float) -> str:
    done = rebuilt.rounds_done
    if rebuilt.began is None:
        return f"{when(done)}: the adapter that the run saved"
    origin = f"the snapshot after round {rebuilt.began}" if rebuilt.began else "the base model"
    return f"{when(done)}, from {origin} on, in {duration(seconds)} with loading the model"


def _verified(cfg: CfgNode, folder: RunFolder, ledger: Ledger, rebuilt: Rebuilt) -> list[tuple[str, str]]:
    """Return the lines of what was compared: hashes were, as they were passed, while rebuilding."""
    first = rebuilt.began or 0
    compared = [done for done in ledger.hashes() if max(first, 1) <= done <= rebuilt.rounds_done]
    equal = f"{len(compared)} of {len(ledger.hashes())} recorded hashes of the parameters compared, all equal"
    rows = [("verified", equal)]
    if ledger.fault:  # what was saved after it is not to be expected
        return rows
    if rebuilt.rounds_done == len(ledger.rounds()) and (folder.path / "adapter").is_dir():
        rows.append(("adapter", _same_adapter(folder, rebuilt, "adapter")))
    if cfg.llm.adapter.use and (folder.path / "adapter_best").is_dir():
        best = rebuild(cfg, folder, "best", fresh=True)
        rows.append(("best", _same_adapter(folder, best, "adapter_best")))
    return rows


def _same_adapter(folder: RunFolder, rebuilt: Rebuilt, name: str) -> str:
    """Return that the run saved the same bytes.

    Raises:
        ResourceError: it did not.
    """
    saved = folder.path / name
    with tempfile.TemporaryDirectory() as scratch:  # not in the run's folder, which may be read-only
        _save(rebuilt, Path(scratch))
        for path in sorted(Path(scratch).glob("*.safetensors")):
            other = saved / path.name
            if not other.is_file() or other.read_bytes() != path.read_bytes():
                raise ResourceError(
                    f"{other}\n    it is not what the ledger leads to: changed since, or saved before the last round"
                )
    return f"{saved} holds the same bytes"


def _exported(cfg: CfgNode, folder: RunFolder, rebuilt: Rebuilt, export: str, to: Path | None) -> Path:
    target = to or folder.path / f"{export}_after_{rebuilt.rounds_done}"
    with saving(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    trainable, whole = rebuilt.trainable, export == "merged" or rebuilt.trainable.base is None
    expected = trained(trainable, rebuilt.point, few_examples(cfg, trainable, data_of(cfg, trainable)))
    write = _save_merged if export == "merged" else _save
    RunFolder(target.parent).write_folder(target.name, lambda scratch: write(rebuilt, scratch))
    expected.check(target, whole=whole)
    return target


def _save(rebuilt: Rebuilt, folder: Path) -> None:
    with rebuilt.trainable.scorer.at(rebuilt.point) as model:
        save_trained(model, folder, rebuilt.trainable.tokenizer)


def _save_merged(rebuilt: Rebuilt, folder: Path) -> None:
    """Write the model with the adapter in its weights; the model in memory is not to be used any more."""
    rebuilt.trainable.parameters.write(rebuilt.point)
    model = rebuilt.trainable.model
    save_trained(merged(model) if isinstance(model, PeftModel) else model, folder, rebuilt.trainable.tokenizer)


def _check_export(cfg: CfgNode, export: str | None, to: Path | None) -> None:
    if to is not None and export is None:
        raise ConfigurationError(f"--to {to}\n    nothing is to be written; expected with --export adapter or merged")
    if to is not None and to.exists():
        raise ConfigurationError(f"--to {to}\n    it exists, and is not overwritten")
    if export == "merged" and cfg.llm.adapter.use:
        import_extensions(cfg.extensions)
        method = first_mapping(cfg.llm.adapter.args)["adapter_method"]
        if not methods.registry[method].merges:
            raise ConfigurationError(f"--export merged\n    {method} has nothing to merge; expected adapter")
