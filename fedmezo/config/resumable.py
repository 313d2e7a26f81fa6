"""Keys that may change when a run goes on."""

from fedmezo.config.schema import KEYS

# the rounds that are done would have been the same, and what is where may move; lanes round otherwise
RESUMABLE = (
    *("federate.total_round_num", "federate.save_to", "federate.save_freq", "early_stop.patience", "verbose"),
    *("eval.batch_size", "extensions", "model.type", "data.root", "data.date", "use_gpu", "device", "llm.cache.model"),
    *("federate.participation", "federate.on_failure", "federate.retries", "federate.min_results"),
    *(key for key in KEYS if key.startswith("engine.") and key != "engine.lanes"),
)
