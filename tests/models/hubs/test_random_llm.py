import pytest
import torch

from fedmezo.models.hubs import load_base_model
from tests.models.tiny import FAMILIES, NO_CACHE, bits, tiny_base


def test_the_weights_are_the_same_every_time_whatever_torchs_seed() -> None:
    first = bits(tiny_base())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        assert bits(tiny_base()) == first


def test_the_weights_are_the_committed_ones() -> None:
    model = tiny_base()
    total = sum(parameter.detach().double().sum().item() for parameter in model.parameters())
    squares = sum(parameter.detach().double().square().sum().item() for parameter in model.parameters())
    assert (total, squares) == pytest.approx((134.67328194297954, 387.8455879979066), rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_matrices_are_drawn_and_norms_and_biases_are_not(family: str) -> None:
    for name, parameter in tiny_base(family=family).named_parameters():
        if parameter.ndim == 1:
            assert parameter.unique().item() in (0, 1), name
        else:
            assert parameter.std().item() == pytest.approx(0.08, rel=0.1), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_the_same_model_rounded(family: str, dtype: torch.dtype) -> None:
    full, half = tiny_base(family=family), tiny_base(dtype, family)
    for (name, wanted), (_, parameter) in zip(full.named_parameters(), half.named_parameters(), strict=True):
        assert parameter.dtype == dtype
        assert torch.equal(parameter, wanted.to(dtype)), name


def test_families_are_of_their_own_kind() -> None:
    kinds = {type(tiny_base(family=family)).__name__.removesuffix("ForCausalLM") for family in FAMILIES}
    assert kinds == {"Llama", "Mistral", "Qwen3", "Gemma3", "Phi", "OPT", "GPT2LMHeadModel"}


def test_its_tokens_fit_its_vocabulary() -> None:
    base = load_base_model("tiny-llama@random_llm", dtype=torch.float32, cache=NO_CACHE)
    assert base.model.get_input_embeddings().weight.shape[0] == 259
    assert (base.tokenizer.eos_id, base.tokenizer.pad_id) == (257, 258)
