"""A package folder with registered names, and ways to load configurations and to read their mistakes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from yacs.config import CfgNode

from fedmezo.config import load, names
from fedmezo.core.errors import ConfigurationError

REGISTERED = {
    "training": ("mezotrainer", "llmtrainer"),
    "federation/strategies": ("frozen", "random", "round-wise", "five-round", "model-diff"),
    "data/splitters": ("iid", "meta", "lda"),
    "data/sources": ("gsm8k@llm", "alpaca@llm", "code_alpaca@llm", "arithmetic@llm"),
    "models/hubs": ("huggingface_llm", "package_llm", "random_llm"),
    "federation/engines": ("local",),
    "criteria": ("cross_entropy", "accuracy"),
    "zeroth_order/estimators": ("central", "one-sided"),
    "core/directions/distributions": ("gaussian", "rademacher"),
}

Load = Callable[..., CfgNode]
Mistakes = Callable[..., str]


@pytest.fixture(scope="package", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("package")
    for folder, registered in REGISTERED.items():
        (root / folder).mkdir(parents=True)
        for index, name in enumerate(registered):
            package = f"fedmezo.{folder.replace('/', '.')}"
            source = f"from {package} import register\nraise SystemExit\n@register({name!r})\nclass Thing: ...\n"
            (root / folder / f"thing_{index}.py").write_text(source, encoding="utf-8")
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
