"""Model folders of which a field or a tensor is wrong: they train, or are refused with a message."""

import shutil
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scripts.crash.bench import Bench
from scripts.crash.programs import Ended, forked
from scripts.crash.tally import Tally, progress
from tests.model_folders import Fault, edit, faults, faulty, write_model

MAY_END = (0, 2, 3, 4)  # 4: a tensor that makes the loss diverge
QUICK = ("federate.total_round_num", "1", "train.local_update_steps", "1", "eval.max_examples", "2")
TEMPLATE = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{{ eos_token }}{% endfor %}"


def model_folders(bench: Bench, wanted: int) -> Tally:
    """Train on faulty copies of a sound folder."""
    tally, numbers = Tally("a model folder, wrong in"), count(1)
    sound = write_model(bench.scratch / "model")
    edit(sound / "tokenizer_config.json", chat_template=TEMPLATE)

    @seed(bench.seed)
    @settings(
        max_examples=wanted,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(faults(sound), st.sampled_from(("alpaca", "chat")))
    def case(fault: Fault, prompt: str) -> None:
        number = next(numbers)
        place = bench.scratch / f"folder-{number}"
        model = faulty(sound, place / "model", fault)
        words = [*bench.words(place), *QUICK, "model.type", f"{model}@huggingface_llm", "data.prompt", prompt]
        judge(tally, fault, place, forked("main", words))
        progress("model folders", number, wanted, tally)

    case()
    return tally


def judge(tally: Tally, fault: Fault, place: Path, ended: Ended) -> None:
    """Count how a run ended, and remove its folder where it may end so."""
    kind = f"{fault.file}: {fault.what}" if fault.file.endswith(".safetensors") else fault.file
    report = f"{fault}\nkept in {place}\nexit code {ended.code}\n{ended.output}"
    if ended.defect or ended.code not in MAY_END:
        tally.add(kind, ended.defect or f"exit code {ended.code}", report)
    elif ended.code and "fedmezo: " not in ended.output:
        tally.add(kind, "no message", report)
    else:
        tally.add(kind, f"exit code {ended.code}")
        shutil.rmtree(place)
