from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, preserved_torch_state
from fedmezo.models.generation import Sampling, generate, generate_batch, without_ending
from fedmezo.models.hubs import BaseModel, load_base_model
from tests.models.tiny import FAMILIES, SMALL, tiny_adapter

PROMPT = "Say something."


def answer(
    model: Any, base: BaseModel, sampling: Sampling, stop: Callable[[], bool] = lambda: False, prompt: str = PROMPT
) -> str:
    tokenizer = base.tokenizer
    ids = tokenizer.encode([prompt], special=True)[0]
    return tokenizer.decode(generate(model, ids, [[tokenizer.eos_id], list(b"@@")], sampling, stop))


@pytest.fixture
def base() -> BaseModel:
    loaded = load_base_model("tiny-llama@random_llm", dtype=torch.float32, cache=Path())
    loaded.model.eval()
    return loaded


def likeliest(model: torch.nn.Module, base: BaseModel, count: int) -> str:
    """Return the answer by definition: the likeliest token, so many times, everything computed anew each time."""
    ids = torch.tensor(base.tokenizer.encode([PROMPT], special=True))
    prompt = ids.shape[1]
    for _ in range(count):
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        ids = torch.cat([ids, logits[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
        if ids[0, -1] == base.tokenizer.eos_id:
            break
    return base.tokenizer.decode(ids[0, prompt:].tolist())


@pytest.mark.parametrize(
    "method",
    [
        LoraConfig(task_type="CAUSAL_LM", r=4),
        PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        IA3Config(task_type="CAUSAL_LM"),
    ],
    ids=lambda method: str(method.peft_type),
)
def test_greedy_is_the_likeliest_token_with_every_kind_of_adapter(base: BaseModel, method: PeftConfig) -> None:
    plain = likeliest(base.model, base, 10)
    assert answer(base.model, base, Sampling(10)) == plain
    with preserved_torch_state(0):
        model = get_peft_model(base.model, method).eval()
    draw = generator(1)
    for parameter in filter(lambda parameter: parameter.requires_grad, model.parameters()):
        parameter.data += 0.3 * torch.from_numpy(draw.standard_normal(parameter.shape)).float()
    assert likeliest(model, base, 10) != plain
    assert answer(model, base, Sampling(10)) == likeliest(model, base, 10)
    with model.disable_adapter():
        assert answer(model, base, Sampling(10)) == plain


def test_sampling_depends_on_the_key_alone(base: BaseModel) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (answer(base.model, base, Sampling(20, temperature=1.0, key=key)) for key in (1, 1, 2))
    assert first == again != other
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_models_own_way_of_generating_is_not_taken(base: BaseModel) -> None:
    base.model.generation_config.repetition_penalty = 50.0
    base.model.generation_config.top_k = 1
    assert answer(base.model, base, Sampling(10)) == likeliest(base.model, base, 10)
    sampled = {answer(base.model, base, Sampling(10, 1.0, key)) for key in range(3)}
    assert len(sampled) == 3


def test_an_answer_ends_when_told_to_stop_and_where_positions_end(base: BaseModel) -> None:
    asked = iter([False, False, True])
    stopped = answer(base.model, base, Sampling(10), lambda: next(asked))
    assert stopped == likeliest(base.model, base, 3)
    base.model.config.max_position_embeddings = len(base.tokenizer.encode([PROMPT], special=True)[0]) + 2
    assert answer(base.model, base, Sampling(10)) == likeliest(base.model, base, 2)
    with pytest.raises(ConfigurationError, match="no answer"):
        answer(base.model, base, Sampling(10), prompt=PROMPT * 2)


def test_an_answer_ends_before_an_ending_of_one_token_or_of_several(base: BaseModel) -> None:
    ids = base.tokenizer.encode([PROMPT], special=True)[0]
    whole = generate(base.model, ids, [[base.tokenizer.eos_id]], Sampling(10))
    assert len(whole) == 10
    for ending in (whole[4:5], whole[4:7]):
        first = next(i for i in range(10) if whole[i : i + len(ending)] == ending)
        assert generate(base.model, ids, [[base.tokenizer.eos_id], ending], Sampling(10)) == whole[:first]


PROMPTS = [generator(length).integers(0, 256, length).tolist() for length in (3, 9, 40, 8, 70, 1, 9)]


@pytest.mark.covering(1)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", SMALL)
def test_answers_in_a_batch_are_those_to_prompts_alone(method: str, family: str) -> None:
    """Padding on the left changes nothing, with virtual tokens either."""
    tuned = tiny_adapter(method, family=family)
    with tuned.scorer.at(tuned.point):
        alone = [generate(tuned.model, prompt, [[256], [7, 9]], Sampling(8)) for prompt in PROMPTS]
        assert generate_batch(tuned.model, PROMPTS, [[256], [7, 9]], Sampling(8), 4) == alone
    assert len({tuple(answer) for answer in alone}) > 1


def test_each_answer_of_a_batch_ends_at_its_own_ending(base: BaseModel) -> None:
    whole = generate_batch(base.model, PROMPTS, [[256]], Sampling(8), 7)
    ending = whole[2][3:5]
    found = generate_batch(base.model, PROMPTS, [[256], ending], Sampling(8), 7)
    assert found == [without_ending(answer, [ending]) for answer in whole]
    assert 0 < len(found[2]) <= 3 and max(map(len, found)) == 8


def test_what_comes_before_the_first_ending() -> None:
    assert without_ending([1, 2, 3, 2, 3], [[9], [2, 3]]) == [1]
    assert without_ending([1, 2, 9, 3], [[9], [2, 3]]) == [1, 2] and without_ending([3, 1], [[1, 3]]) == [3, 1]
