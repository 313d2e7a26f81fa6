"""Metadata of FedMeZO; the settings of the tools are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGES = find_packages(include=["fedmezo", "fedmezo.*"])
SHIPPED = "fedmezo.configs"  # where a wheel has configs/; a checkout, also an editable one, has it beside the package

CONFIG = ["yacs>=0.1.8", "pyyaml>=6.0", "numpy>=2.0", "argcomplete>=3.5"]
LLM = [
    "torch>=2.10",
    "transformers>=5.23",
    "peft>=0.18",
    "accelerate>=1.10",
    "datasets>=4.0",
    "safetensors>=0.6",
    "gguf>=0.17",
    "sentencepiece>=0.2",
    "protobuf>=5.29",
    "numba>=0.63",
    "tqdm>=4.66",
    "matplotlib>=3.9",
    "jinja2>=3.1",
]
TEST = [
    "pytest>=9.0",
    "pytest-xdist>=3.8",
    "pytest-timeout>=2.4",
    "hypothesis>=6.150",
    "ruff>=0.15",
    "mypy>=2.0",
    "import-linter>=2.5",
    "pre-commit>=4.0",
    "types-PyYAML",
    "types-tqdm",
    "flwr[simulation]>=1.41,<1.43",
    "optuna>=4.5",
    "ipykernel>=6.29",
    "nbclient>=0.10",
    "playwright>=1.50",
    "axe-playwright-python>=0.1.8",
    "lm_eval>=0.4.13",
    "rouge-score>=0.1.2",
    "triton>=3.7; sys_platform == 'linux'",  # interpreted and compiled without a GPU; of the version that torch has
]

DOCS = ["mkdocs>=1.6", "mkdocs-material>=9.8", "mkdocstrings[python]>=1.0", "mkdocs-api-autonav>=0.4"]

setup(
    name="fedmezo",
    version="0.3.0",
    description="Federated fine-tuning of large language models without backpropagation",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    classifiers=[
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    packages=[*PACKAGES, SHIPPED],
    package_dir={SHIPPED: "configs"},
    package_data={
        "fedmezo": [
            "py.typed",
            "data/sources/*.yaml",
            "commands/flower_app/pyproject.toml",
            "commands/flower_app/LICENSE",
            "reporting/html/web/*",
        ],
        SHIPPED: ["**/*.yaml"],
    },
    entry_points={"console_scripts": ["fedmezo=fedmezo.__main__:program", "fedmezo-node=fedmezo.node:program"]},
    install_requires=CONFIG,
    extras_require={
        "llm": LLM,
        "test": [*TEST, *DOCS],
        "docs": DOCS,
        "flower": ["flwr>=1.41,<1.43"],
        "flower-sim": ["flwr[simulation]>=1.41,<1.43"],
        "eval": ["lm_eval>=0.4.13"],
        "metrics": ["rouge-score>=0.1.2"],
        "sweep": ["optuna>=4.5"],
        "modelscope": ["modelscope>=1.20"],
        "wandb": ["wandb>=0.31"],
        "tensorboard": ["tensorboard>=2.18"],
        "screens": ["pyte>=0.8.2"],
    },
)
