"""The weights in a folder, compared with the model of its ``config.json``, before and after they are loaded."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from fedmezo.core.errors import FaultyModelError
from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.faults import telling_faults

SPARE = 2**26  # parameters that a faulty model may take of memory before its tensors are compared by name
SHOWN = 3  # tensors that a message names
FLOATS = ("F64", "F32", "F16", "BF16")
# buffers that earlier versions of transformers wrote: masks and angles, which are computed
COMPUTED = re.compile(r"(^|\.)(attn|attention)\.(bias|masked_bias|causal_mask)$|inv_freq$|position_ids$")


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: its shape, and its type in the words of safetensors."""

    shape: tuple[int, ...]
    dtype: str


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Return what the headers of a folder's weights say.

    Raises:
        FaultyModelError: there are none in safetensors format, a file is missing or damaged, or a tensor twice.
    """
    found: dict[str, Stored] = {}
    for path in weight_files(folder):
        with telling_faults(str(path)), safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                if name in found:
                    raise FaultyModelError(f"{path}: {name} is in another file of the folder, too")
                part = file.get_slice(name)
                found[name] = Stored(tuple(part.get_shape()), part.get_dtype())
    return found


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a folder's weights, in safetensors format.

    Raises:
        FaultyModelError: there are none, or one that the index names is missing.
    """
    single, index = folder / SAFE_WEIGHTS_NAME, folder / SAFE_WEIGHTS_INDEX_NAME
    if single.is_file():
        return [single]
    if not index.is_file():
        raise FaultyModelError(f"{folder}: there are no weights in safetensors format ({single.name})")
    with telling_faults(str(index)):
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        files = [folder / name for name in names]
    for path in files:
        if not path.is_file():
            raise FaultyModelError(f"{index}: it names {path.name}, which is not there")
    return files


def check_sizes(config: PreTrainedConfig, stored: Mapping[str, Stored]) -> None:
    """Make sure, before memory is taken, that a configuration is about as large as the weights, and these are floats.

    Raises:
        FaultyModelError: they are not of one model.
    """
    if getattr(config, "quantization_config", None):
        return  # packed: shapes and types say little
    _check_counts(config, stored)
    with preserved_torch_state(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    wanted = sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    there = sum(math.prod(tensor.shape) for tensor in stored.values())
    if wanted > 2 * there + SPARE:
        raise FaultyModelError(
            f"config.json: it describes a model of {wanted:,} parameters, and the weights are {there:,}"
        )
    _check_types(model, stored)


def _check_counts(config: PreTrainedConfig, stored: Mapping[str, Stored]) -> None:
    """Make sure that no number of layers, heads or experts is beyond any sense, before modules are made for each."""
    most = max([len(stored), *(size for tensor in stored.values() for size in tensor.shape)])
    counts = {name: value for name, value in config.to_dict().items() if name.startswith("num_")}
    counts["num_hidden_layers"] = getattr(config, "num_hidden_layers", 0)  # whatever its name in the file
    for name, value in counts.items():
        if isinstance(value, int) and value > most:
            raise FaultyModelError(f"config.json: {name} = {value}, and no dimension of the weights is that large")


def _check_types(model: nn.Module, stored: Mapping[str, Stored]) -> None:
    names = [name for name, _ in model.named_parameters() if name in stored and stored[name].dtype not in FLOATS]
    if names:
        raise FaultyModelError(
            f"the weights: {_listed(names)} of another type than floating-point numbers ({stored[names[0]].dtype})"
        )


def check_loaded(kind: str, report: Mapping[str, Any]) -> None:
    """Make sure that a model has got all of its parameters from the files, and that these held nothing else.

    Args:
        kind: class of the model.
        report: ``output_loading_info`` of transformers, which leaves out what is tied or ignored by design.

    Raises:
        FaultyModelError: the message names the tensors.
    """
    shapes = {name: (list(there), list(wanted)) for name, there, wanted in report["mismatched_keys"]}
    unexpected = [name for name in report["unexpected_keys"] if not COMPUTED.search(name)]
    faults = [f"missing: {_listed(report['missing_keys'])}"] if report["missing_keys"] else []
    faults += [f"not known to it: {_listed(unexpected)}"] if unexpected else []
    for name in sorted(shapes)[:SHOWN]:
        faults.append(f"{name} has the shape {shapes[name][0]}, and config.json asks for {shapes[name][1]}")
    if len(shapes) > SHOWN:
        faults.append(f"{len(shapes) - SHOWN} more of another shape")
    faults += [str(message) for message in report["error_msgs"][:SHOWN]]
    if faults:
        raise FaultyModelError(f"the weights are not those of a {kind}:\n    " + "\n    ".join(faults))


def _listed(names: Iterable[str]) -> str:
    """Return the first few names, and how many there are."""
    every = sorted(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return f"{', '.join(every[:SHOWN])}{more}"
