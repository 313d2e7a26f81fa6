"""Hashes of a base model, and of a parameter point: what a run's scalars are the updates of, and what they lead to."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


def model_hash(model: nn.Module) -> bytes:
    """Return a hash (BLAKE2b, 16 bytes) of what is not trained: names, dtypes, shapes and values.

    It is of parameters, and of random matrices that an adapter has as buffers, such as VeRA's.
    """
    frozen = sorted([(name, p) for name, p in model.named_parameters() if not p.requires_grad] + _drawn_buffers(model))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = list(pool.map(point_hash, (parameter.data for _, parameter in frozen)))
    digest = hashlib.blake2b(digest_size=16)
    for (name, parameter), part in zip(frozen, found, strict=True):
        digest.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}\n".encode() + part)
    return digest.digest()


def point_hash(point: Tensor) -> bytes:
    """Return a hash (BLAKE2b, 16 bytes) of the values of a tensor, such as a flat vector [d], as they are in memory."""
    values = point.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return hashlib.blake2b(values.numpy().data, digest_size=16).digest()


def _drawn_buffers(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Return the buffers of an adapter, but for copies of parameters."""
    buffers = ((name, buffer) for name, buffer in model.named_buffers() if name.endswith(".default"))
    return [each for each in buffers if ".trainable_tokens_original." not in each[0]]
