from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.assembly import model as assembly
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.models.adapters import save_trained
from fedmezo.models.hubs import BaseModel
from fedmezo.models.hubs.random_llm import MODELS
from fedmezo.models.tokenizers import ByteTokenizer
from tests.conftest import WORD_PROBLEMS
from tests.models.test_tokenizers import bpe
from tests.models.tiny import SMALL, tiny_base

Write = Callable[..., Path]


def assembled(tiny_yaml: Write, *overrides: str, **sections: Any) -> LearningTask:
    return assemble_learning_task(config.load(tiny_yaml(**sections), ["use_gpu", "False", *overrides]))


def adapter(method: str, **arguments: Any) -> dict[str, Any]:
    return {"tok_len": 420, "adapter": {"args": [{"adapter_method": method, **SMALL[method], **arguments}]}}


@pytest.mark.parametrize("method", SMALL)
def test_training_goes_on_from_a_saved_adapter(method: str, tiny_yaml: Write, tmp_path: Path) -> None:
    first = assembled(tiny_yaml, llm=adapter(method))
    point = first.start + 1.0
    with first.scorer.at(point) as model:
        save_trained(model, tmp_path / "saved", first.tokenizer)
    again = assembled(tiny_yaml, "federate.restore_from", str(tmp_path / "saved"), llm=adapter(method))
    assert torch.equal(again.start, point) and torch.equal(again.parameters.buffer, point)
    other = "ia3" if method != "ia3" else "lora"
    with pytest.raises(
        ResourceError, match=r"^federate\.restore_from = .*\n    it was made with another adapter_method"
    ):
        assembled(tiny_yaml, "federate.restore_from", str(tmp_path / "saved"), llm=adapter(other))


def test_a_prompt_starts_from_the_words_of_the_configuration(tiny_yaml: Write) -> None:
    words = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "abc"}
    start = assembled(tiny_yaml, llm=adapter("prompt", **words)).start
    assert torch.equal(start.view(3, -1), tiny_base().get_input_embeddings().weight[list(b"abc")])


def test_a_model_is_spread_over_the_devices_there_are(tiny_yaml: Write, tmp_path: Path) -> None:
    base = tiny_base()
    base.resize_token_embeddings(300)  # as many as the tokenizer has, and more
    base.save_pretrained(tmp_path / "model")
    bpe(size=259).save_pretrained(tmp_path / "model")
    model = {"type": f"{tmp_path / 'model'}@huggingface_llm"}
    losses = []
    for device_map in ("", "auto"):
        task = assembled(tiny_yaml, "model.device_map", device_map, model=model)
        losses.append(task.scorer.loss(task.start, task.collate(task.data.partition.clients[0].train[:2])))
    assert losses[0] == losses[1]


def test_a_model_that_the_devices_do_not_hold_is_refused(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def offloading(*args: Any, **options: Any) -> BaseModel:
        return BaseModel(tiny_base().to("meta"), ByteTokenizer())

    monkeypatch.setattr(assembly, "load_base_model", offloading)
    with pytest.raises(ConfigurationError, match=r"^model\.device_map = auto\n    the devices there are do not hold"):
        assembled(tiny_yaml, "model.device_map", "auto")


def test_examples_longer_than_the_positions_are_refused_before_training(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, sizes = MODELS["tiny-gpt2"]
    monkeypatch.setitem(MODELS, "tiny-gpt2", (kind, sizes | {"n_positions": 400}))
    settings = {"model": {"type": "tiny-gpt2@random_llm"}, "data": WORD_PROBLEMS, "llm": adapter("prompt")}
    with pytest.raises(ConfigurationError, match=r"^llm\.tok_len\n .* 420 tokens.* positions for 397; set .* 397$"):
        assembled(tiny_yaml, **settings)
    assembled(tiny_yaml, "llm.tok_len", "397", **settings)


def test_copies_of_a_half_precision_models_own_modules_are_trained_in_fp32(tiny_yaml: Write) -> None:
    args = "[{adapter_method: lora, r: 2, modules_to_save: [lm_head]}]"
    task = assembled(tiny_yaml, "train.is_enable_half", "True", "llm.adapter.args", args)
    kinds = {p.dtype for p in task.model.parameters() if p.ndim > 1 and not p.requires_grad}
    assert kinds == {torch.bfloat16} and {p.dtype for p in task.model.parameters() if p.requires_grad} == {
        torch.float32
    }
    batch = task.collate(task.data.partition.clients[0].train[:2])
    assert task.scorer.loss(task.start + 0.1, batch) != task.scorer.loss(task.start, batch)


def test_scales_of_the_directions_are_by_name(tiny_yaml: Write) -> None:
    scales = [{"name": "q_proj.lora_B", "scale": 0.0625}, {"name": "lora_B", "scale": 2.0}]
    plain, scaled = assembled(tiny_yaml), assembled(tiny_yaml, zo={"mu": 0.005, "scales": scales})
    z, bent = (task.scorer.directions.values(7, 0, task.parameters.size) for task in (plain, scaled))
    for span in scaled.parameters.spans:
        factor = 0.0625 if "q_proj.lora_B" in span.name else 2.0 if "lora_B" in span.name else 1.0
        assert torch.equal(bent[span.start : span.stop], z[span.start : span.stop] * factor), span.name


def test_a_scale_of_nothing_is_refused(tiny_yaml: Write) -> None:
    scales = [{"name": "lora", "scale": 0.5}, {"name": "lora_A", "scale": 2.0}]
    with pytest.raises(ConfigurationError, match=r"^zo\.scales\[1\]\.name = lora_A\n    it is in the name of no"):
        assembled(tiny_yaml, zo={"scales": scales})


def test_all_parameters_are_trained_in_the_model_itself_where_nothing_else_needs_a_copy(tiny_yaml: Write) -> None:
    whole = {"tok_len": 420, "adapter": {"use": False}}
    zeroth, first = assembled(tiny_yaml, llm=whole), assembled(tiny_yaml, "trainer.type", "llmtrainer", llm=whole)
    assert zeroth.start is zeroth.parameters.buffer
    assert first.start is not first.parameters.buffer and torch.equal(first.start, zeroth.start)
