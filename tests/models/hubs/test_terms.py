"""Models under terms: refused until these are accepted, before anything is fetched; Gemma 3 270M, if it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmezo import config
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.main import main
from fedmezo.models.hubs import BaseModel, load_base_model, package_llm
from fedmezo.models.hubs.terms import TERMS, check_terms
from fedmezo.zeroth_order.scoring import token_losses
from tests.models.test_published_families import by_row
from tests.models.tiny import NO_CACHE, make_batch

Write = Callable[..., Path]
GEMMA = "gemma-3-270m@package_llm"


def test_every_term_can_be_accepted_by_the_key_and_is_of_a_model_that_there_is(tiny_yaml: Write) -> None:
    for model_type, terms in TERMS.items():
        assert model_type.partition("@")[0] in package_llm.MODELS
        path = tiny_yaml(model={"type": model_type}, llm={"accept_terms": [terms.name]})
        check_terms(model_type, config.load(path).llm.accept_terms)


def test_terms_that_are_not_accepted_are_named_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_llm, "converted_folder", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(ConfigurationError) as caught:
        load_base_model(GEMMA, dtype=torch.float32, cache=NO_CACHE)
    assert str(caught.value) == (
        "model.type = gemma-3-270m@package_llm\n    it may be used under the Gemma Terms of Use: read them at "
        "https://ai.google.dev/gemma/terms, and if you accept them, set llm.accept_terms [gemma]"
    )


def test_a_run_ends_with_the_exit_code_of_a_wrong_configuration(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["--cfg", str(tiny_yaml(model={"type": GEMMA})), "outdir", str(tmp_path / "runs")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "set llm.accept_terms [gemma]" in told and "Traceback" not in told
    assert main([*command, "llm.accept_terms", "[gema]"]) == 2
    assert "the nearest is gemma" in capsys.readouterr().err


@pytest.fixture
def gemma() -> BaseModel:
    """Return the real model where its terms were accepted on this machine, once, by fetching it."""
    name = GEMMA.partition("@")[0]
    folder = f"{name}-{package_llm.MODELS[name][0].sha256[:8]}"
    if not (cache_folder() / "models" / folder).is_dir():
        pytest.skip(f"{name} was not fetched here: fedmezo run quickstart model.type {GEMMA} llm.accept_terms [gemma]")
    return load_base_model(GEMMA, dtype=torch.float32, cache=cache_folder(), accepted=["gemma"])


@pytest.mark.integration
@pytest.mark.gemma
def test_gemma_knows_english_and_what_follows(gemma: BaseModel) -> None:
    texts = ["The capital of France is Paris, and the capital of Italy is Rome.", "paris the rome italy. of is, The is"]
    losses = []
    for text in texts:
        tokens = torch.tensor(gemma.tokenizer.encode([text], special=True))
        with torch.inference_mode():
            losses.append(gemma.model(input_ids=tokens, labels=tokens).loss.item())
    assert losses[0] < 3 and losses[1] > losses[0] + 2


@pytest.mark.integration
@pytest.mark.gemma
def test_the_losses_of_gemma_are_transformers_own_of_rows_alone(gemma: BaseModel) -> None:
    rows = ((3, 40), (90, 9), (60, 70), (1, 2))
    alone: list[Any] = []
    with torch.inference_mode():
        found = by_row(*token_losses(gemma.model, make_batch(*rows)))
        for number, row in enumerate(rows):
            batch = make_batch(row, first=number)
            alone.append(gemma.model(input_ids=batch.input_ids, labels=batch.labels).loss.item())
    assert found == pytest.approx(alone, abs=1e-4)
