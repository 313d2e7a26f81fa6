"""Peak memory of training over inference, each in its own process.

python -m benchmarks.memory [--cfg FILE] [--only WORD ...] [--json FILE] [key value ...]

``inference`` is two plain forwards, ``model(input_ids, attention_mask, labels)`` under ``inference_mode``, on every
batch that training sees: a round of three clients with three steps each. Peaks are those of the process, and those from
when model and data were loaded, above what the interpreter with the libraries and the weights took then. Clients are
compared at 3 and at 300. On a GPU peaks are those of its allocator. (Linux.)
"""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn
from yacs.config import CfgNode

from benchmarks.textbook import inputs
from benchmarks.timing import forget_peak
from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.assembly.precision import base_dtype, chosen_device, placed
from fedmezo.core.memory import peak_memory_mib
from fedmezo.data.client_batches import LocalData

ALL = ["llm.adapter.use", "False"]
HALF = ["train.is_enable_half", "True"]
WIDE = ["llm.adapter.args", "[{adapter_method: lora, r: 128, lora_alpha: 256}]"]
MANY = ["federate.client_num", "300"]
BACKPROP = ["trainer.type", "llmtrainer"]
BLOCKS = ["zo.blocks", "10", "zo.queries", "10", "zo.estimator", "one-sided"]
# (name, what is changed; of the group's inference too)
CASES: dict[str, list[str]] = {
    "LoRA r=8: inference": [],
    "LoRA r=8: mezotrainer, 3 clients": [],
    "LoRA r=8: mezotrainer, 300 clients": MANY,
    "LoRA r=8: mezotrainer in ten blocks, 3 clients": BLOCKS,
    "LoRA r=8: llmtrainer, 3 clients": BACKPROP,
    "LoRA r=8, bf16: inference": HALF,
    "LoRA r=8, bf16: mezotrainer, 3 clients": HALF,
    "LoRA r=128: inference": WIDE,
    "LoRA r=128: mezotrainer, 3 clients": WIDE,
    "LoRA r=128, bf16: inference": [*WIDE, *HALF],
    "LoRA r=128, bf16: mezotrainer, 3 clients": [*WIDE, *HALF],
    "all parameters: inference": ALL,
    "all parameters: mezotrainer, 3 clients": ALL,
    "all parameters: mezotrainer, 3 clients, rademacher": [*ALL, "zo.distribution", "rademacher"],
    "all parameters: mezotrainer in ten blocks, 3 clients": [*ALL, *BLOCKS],
    "all parameters: llmtrainer, 3 clients": [*ALL, *BACKPROP],
    "all parameters, bf16: inference": [*ALL, *HALF],
    "all parameters, bf16: mezotrainer, 3 clients": [*ALL, *HALF],
    "all parameters, bf16: mezotrainer, 3 clients, rademacher": [*ALL, *HALF, "zo.distribution", "rademacher"],
}
COMMON = ["trainer.type", "mezotrainer", "federate.sample_client_num", "3", "train.local_update_steps", "3"]


def measure(options: argparse.Namespace, case: str) -> dict[str, float | str]:
    """Return peak MiB of one case, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--cfg", str(options.cfg), "--case", case]
    command += options.overrides
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"case": case, **json.loads(printed.splitlines()[-1])}


def run_case(cfg_path: Path, overrides: list[str], case: str) -> dict[str, float]:
    """Run one case here: a round of three clients with three steps each, or scoring the same batches."""
    cfg = config.load(cfg_path, [*COMMON, *CASES[case], *overrides])
    forget_peak(chosen_device(cfg.use_gpu, cfg.device))
    if case.endswith("inference"):
        return plain_inference(cfg)
    task = assemble_learning_task(cfg)
    before, loaded = peak_memory_mib(), started_working(task.model)
    federation = assemble_federation(cfg, task)
    plan = federation.server.plan(0)
    record = federation.server.aggregate(plan, federation.engine.run(plan, federation.server.parameters))
    federation.server.apply(record)
    return {"loaded": loaded, "working": peak_memory_mib(), "peak": max(before, peak_memory_mib())}


def plain_inference(cfg: CfgNode) -> dict[str, float]:
    """Run the model as peft and transformers have it on the batches of a round."""
    from fedmezo.assembly.arguments import first_mapping
    from fedmezo.assembly.task import assemble_data
    from fedmezo.core.cache import cache_folder
    from fedmezo.data.batches import collate
    from fedmezo.models.adapters import attach_adapter
    from fedmezo.models.hubs import load_base_model

    device = chosen_device(cfg.use_gpu, cfg.device)
    dtype, place = base_dtype(cfg.train.is_enable_half, device), placed("", device)
    base = load_base_model(cfg.model.type, dtype=dtype, cache=cache_folder(), device_map=place)
    arguments = first_mapping(cfg.llm.adapter.args)
    model = attach_adapter(base.model, arguments) if cfg.llm.adapter.use else base.model
    model.to(device).eval()
    data = assemble_data(cfg, base.tokenizer, cache_folder())
    before, loaded = peak_memory_mib(), started_working(model)
    make = partial(collate, data.encoded, pad_id=base.tokenizer.pad_id)
    for client in data.partition.clients[:3]:
        local = LocalData({0: client.train}, make, cfg.seed, cfg.dataloader.batch_size, True, 3, False)
        for step in range(cfg.train.local_update_steps):
            batch = local.batch(0, step)
            with torch.inference_mode():
                for _ in range(2):
                    model(**inputs(model, batch))
    return {"loaded": loaded, "working": peak_memory_mib(), "peak": max(before, peak_memory_mib())}


def row_of(found: dict[str, float | str], base: dict[str, float | str]) -> str:
    """Return a row of Markdown, with ratios over inference."""
    above, base_above = (float(row["working"]) - float(row["loaded"]) for row in (found, base))
    total, working = (float(found[name]) / float(base[name]) for name in ("peak", "working"))
    return (
        f"| {found['case']} | {found['peak']:.0f} | {total:.2f} | {found['working']:.0f} | {working:.2f} "
        f"| {above:.0f} | {above / base_above:.2f} |"
    )


def started_working(model: nn.Module) -> float:
    """Forget the peak of loading, and return what is in memory now with all weights, MiB."""
    float(sum(parameter.sum() for parameter in model.parameters()))  # mapped from a file: in memory once they are read
    forget_peak(next(model.parameters()).device)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_memory_mib()


def main() -> None:
    """Measure every case and print a table; with --case, measure one here."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cfg", type=Path, default=Path("configs/word_problems.yaml"))
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the cases' names")
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    if options.case:
        print(json.dumps(run_case(options.cfg, options.overrides, options.case)))
        return
    print("| case | peak MiB | over inference | after loading | over inference | above the weights | over inference |")
    print("|---|---|---|---|---|---|---|")
    rows: list[dict[str, float | str]] = []
    base: dict[str, float | str] = {}
    for case in CASES:
        if any(word in case for word in options.only):
            rows.append(measure(options, case))
            base = rows[-1] if case.endswith("inference") else base
            print(row_of(rows[-1], base), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
