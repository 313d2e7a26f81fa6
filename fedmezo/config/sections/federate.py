"""Clients, rounds, aggregation and saving."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Arguments, Boolean, Choice, Integer, Number, Registered, RunOrLedger, Synonyms, Text

SECTION = Section(
    "federate",
    "Clients, rounds, aggregation and saving.",
    (
        Key(
            "federate.mode",
            "standalone",
            Choice(("standalone",)),
            "One machine plays server and clients; how their work is executed is engine.type.",
        ),
        Key("federate.method", "fedavg", Registered("federation/aggregation"), "How clients' updates are aggregated."),
        Key("federate.method_args", {}, Arguments(), "Arguments of that rule, by name.", since="0.3.0", before={}),
        Key("federate.client_num", 3, Integer(low=1), "Number of clients."),
        Key(
            "federate.sample_client_num",
            0,
            Synonyms(Integer(low=0, also=(-1,)), {-1: 0}),
            "Clients sampled in a round; 0 or -1: all.",
        ),
        Key(
            "federate.sample_client_rate",
            -1.0,
            Number(above=0, high=1, also=(-1,)),
            "The same as a fraction of all clients; -1: not used.",
        ),
        Key(
            "federate.sampler",
            "uniform",
            Registered("federation/sampling"),
            "How the clients of a round are drawn.",
            since="0.3.0",
            before="uniform",
        ),
        Key("federate.total_round_num", 500, Integer(low=1), "Number of rounds."),
        Key("federate.share_local_model", False, Boolean(), "one model serves all clients.", no_effect=True),
        Key(
            "federate.online_aggr",
            False,
            Boolean(),
            "results are always folded in as they arrive.",
            no_effect=True,
        ),
        Key(
            "federate.make_global_eval",
            True,
            Boolean(),
            "Evaluate on the union of the clients' splits; False: take the mean over clients, by size.",
        ),
        Key("federate.ignore_weight", False, Boolean(), "Give all clients the same weight in the aggregation."),
        Key(
            "federate.weight_by",
            "trained",
            Choice(("trained", "dataset")),
            "A client's weight: the examples it trained on in the round, or those it has.",
        ),
        Key(
            "federate.transport",
            "auto",
            Choice(("auto", "scalars", "weights")),
            "What travels: projected gradients (scalars) or parameters (weights); auto: scalars if there are any.",
        ),
        Key(
            "federate.gradient_bound",
            1e6,
            Number(above=0),
            "Size of a projected gradient beyond which a client's answer does not count.",
        ),
        Key(
            "federate.on_failure",
            "fail",
            Choice(("fail", "drop")),
            "What happens when a client fails or does not answer: the run ends, or the round goes on without it.",
        ),
        Key("federate.retries", 0, Integer(low=0), "Times that a task is given again before that."),
        Key(
            "federate.min_results",
            1,
            Integer(low=0),
            "Answers that a round needs, of those asked for; with fewer the run ends, and can go on.",
        ),
        Key(
            "federate.participation",
            "",
            RunOrLedger(),
            "Run or ledger whose clients and numbers of steps are repeated, round by round; '': drawn from seed.",
        ),
        Key("federate.save_to", "", Text(), "Folder that the adapter of a finished run is also saved to; '': none."),
        Key(
            "federate.save_freq",
            100,
            Synonyms(Integer(low=0, also=(-1,)), {-1: 0}),
            "Rounds from one snapshot to the next (llmtrainer: every round has one); 0 or -1: only at the end.",
        ),
        Key(
            "federate.hash_freq",
            10,
            Synonyms(Integer(low=0, also=(-1,)), {-1: 0}),
            "Rounds from one hash of the parameters in the ledger to the next (a new best has one too); 0 or -1: none.",
        ),
        Key("federate.restore_from", "", Text(), "Adapter folder to start from; '': a fresh adapter."),
        Key(
            "federate.merge_test_data",
            False,
            Boolean(),
            "whether the clients' splits are merged is federate.make_global_eval.",
            no_effect=True,
        ),
    ),
)
