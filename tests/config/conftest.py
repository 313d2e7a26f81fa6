"""A package folder with registered names, and ways to load configurations and to read their mistakes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from yacs.config import CfgNode

from fedmezo.config import load, names
from fedmezo.config.peft_arguments import FOLDER
from fedmezo.config.schema import KEYS
from fedmezo.config.types import Registered, RegisteredOrFile, Synonyms
from fedmezo.core.errors import ConfigurationError

REGISTERED = {  # of these kinds some names only
    "training": ("mezotrainer", "llmtrainer"),
    "federation/strategies": ("frozen", "random", "round-wise", "five-round", "model-diff"),
    "data/splitters": ("iid", "meta", "lda"),
    "data/sources": ("gsm8k@llm", "alpaca@llm", "code_alpaca@llm", "arithmetic@llm"),
    "models/hubs": ("huggingface_llm", "package_llm", "random_llm"),
    "federation/engines": ("local",),
    "federation/aggregation": ("fedavg", "trimmed_mean"),
    "federation/sampling": ("uniform", "by_size"),
    "evaluation/metrics": ("loss", "accuracy", "exact_match"),
    "reporting/callbacks": ("tensorboard", "wandb"),
    "criteria": ("cross_entropy", "accuracy"),
    "text_metrics": ("f1", "rouge_l"),
}
NAMED = (Registered, RegisteredOrFile)

Load = Callable[..., CfgNode]
Mistakes = Callable[..., str]


@pytest.fixture(scope="package", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("package")
    kinds = (key.kind.kind if isinstance(key.kind, Synonyms) else key.kind for key in KEYS.values())
    everything = {kind.folder: names.registered(kind.folder) for kind in kinds if isinstance(kind, NAMED)}
    for folder, registered in (everything | REGISTERED).items():
        (root / folder).mkdir(parents=True)
        for index, name in enumerate(registered):
            package = f"fedmezo.{folder.replace('/', '.')}"
            source = f"from {package} import register\nraise SystemExit\n@register({name!r})\nclass Thing: ...\n"
            (root / folder / f"thing_{index}.py").write_text(source, encoding="utf-8")
    shutil.copytree(names.PACKAGE / FOLDER, root / FOLDER)  # not run either
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "PACKAGE", root)
        yield root


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Loads a text that was written to a file, with overrides."""

    def run(text: str = "", *overrides: str) -> CfgNode:
        path = tmp_path / "my.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, overrides)

    return run


@pytest.fixture
def mistakes(tmp_path: Path, load_text: Load) -> Mistakes:
    """Returns the message on a text and overrides that are wrong, without the folder's name."""

    def run(text: str = "", *overrides: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            load_text(text, *overrides)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return run
