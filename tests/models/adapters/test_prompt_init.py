import pytest
import torch

from fedmezo.core.errors import ConfigurationError
from fedmezo.models.adapters import prompt_embeddings
from fedmezo.models.tokenizers import ByteTokenizer
from tests.models.tiny import FAMILIES, ROWS, initial, make_batch, tiny_adapter, tiny_base

TOKENS = {"adapter_method": "prompt", "num_virtual_tokens": 5}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_of_words_is_the_words_put_before(family: str) -> None:
    prompt, batch = tiny_adapter("prompt", family=family, num_virtual_tokens=5), make_batch(*ROWS)
    text = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "abc"}
    words = prompt_embeddings(prompt.model, ByteTokenizer(), TOKENS | text, seed=0)
    ahead = torch.tensor([ord(letter) for letter in "abcab"]).expand(len(ROWS), 5)
    ids = torch.cat([ahead, batch.input_ids], dim=1)
    mask = torch.cat([torch.ones_like(ahead), batch.attention_mask], dim=1)
    labels = torch.cat([torch.full_like(ahead, -100), batch.labels], dim=1)
    with torch.inference_mode():
        wanted = tiny_base(family=family).eval()(input_ids=ids, attention_mask=mask, labels=labels).loss.item()
    start = initial(prompt.parameters, 0, "prompt", words)
    assert prompt.scorer.loss(start, batch) == pytest.approx(wanted, abs=1e-5)


def test_sampled_words_are_rows_of_the_models_own_and_come_from_the_seed() -> None:
    model = tiny_base()
    draws = [
        prompt_embeddings(model, ByteTokenizer(), TOKENS | {"prompt_tuning_init": "SAMPLE_VOCAB"}, s) for s in (1, 1, 2)
    ]
    rows = {tuple(row) for row in model.get_input_embeddings().weight.tolist()}
    assert draws[0] is not None and draws[1] is not None and draws[2] is not None
    assert {tuple(row) for row in draws[0].tolist()} <= rows
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_drawn_prompts_have_no_words() -> None:
    assert prompt_embeddings(tiny_base(), ByteTokenizer(), TOKENS, seed=0) is None


@pytest.mark.parametrize("text", [{}, {"prompt_tuning_init_text": ""}, {"prompt_tuning_init_text": None}])
def test_words_need_a_text(text: dict[str, str | None]) -> None:
    with pytest.raises(ConfigurationError, match="needs the text, as prompt_tuning_init_text"):
        prompt_embeddings(tiny_base(), ByteTokenizer(), TOKENS | {"prompt_tuning_init": "TEXT"} | text, seed=0)
