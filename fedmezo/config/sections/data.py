"""Where examples come from, and how they are split and divided among clients."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import (
    Arguments,
    Boolean,
    Choice,
    Day,
    Integer,
    ListOf,
    Number,
    Registered,
    RegisteredOrFile,
    Synonyms,
    Text,
)

_ENDINGS = (".json", ".jsonl", ".tsv", ".csv", ".parquet", ".yaml", ".yml")
_HUB = r"[\w.-]+/[\w.-]+(:[^:@]*(:[^@]+)?)?@hub"


def _field(name: str, what: str) -> Key:
    return Key(f"data.fields.{name}", "", Text(), f"Field that holds the {what}; '': the dataset's own.")


SECTION = Section(
    "data",
    "Where examples come from, and how they are divided.",
    (
        Key("data.root", "data", Text(), "Folder of local data files."),
        Key(
            "data.type",
            "arithmetic@llm",
            Registered("data/sources", endings=_ENDINGS, form=_HUB, form_name="OWNER/NAME[:CONFIG[:SPLIT]]@hub"),
            "Dataset, a file of examples, or a dataset of the Hugging Face hub.",
        ),
        Key(
            "data.task",
            "auto",
            Choice(("auto", "generation", "classification")),
            "What is asked of an example: to choose a label word, or to write the response; auto: the dataset's own.",
            since="0.3.0",
            before="auto",
        ),
        Key(
            "data.template",
            "",
            Text(),
            "Template of a task, with the place {text}, such as 'Review: {text} Sentiment:'; '': the task's own.",
            since="0.3.0",
            before="",
        ),
        Key(
            "data.label_words",
            (),
            ListOf(Text()),
            "Label words of a task, in the order of its own, such as [negative, positive]; []: its own.",
            since="0.3.0",
            before=(),
        ),
        Key(
            "data.polarity",
            1.0,
            Number(above=0, high=4),
            "sentiment@llm: size of the mean rating, of at most 4, from which a text is used.",
            since="0.3.0",
            before=1.0,
        ),
        Key("data.file", "", Text(), "File under data.root to read the dataset from; '': the dataset's own."),
        _field("instruction", "instruction"),
        _field("input", "input"),
        _field("output", "response"),
        _field("category", "category"),
        Key(
            "data.prompt",
            "alpaca",
            RegisteredOrFile("data/prompts", endings=(".yaml", ".yml")),
            "Prompt that an example is put into: alpaca, plain (its words), chat (the model's template), or a file.",
        ),
        Key(
            "data.date",
            "2024-07-26",
            Day(),
            "Date that chat templates show, whenever the run goes on; '': that of the day on which it does.",
            since="0.2.0",
            before="",
        ),
        Key(
            "data.splits",
            (0.8, 0.1, 0.1),
            ListOf(Number(low=0, high=1), least=3, most=3),
            "Fractions of the examples for train, val and test.",
        ),
        Key(
            "data.duplicates",
            "remove",
            Choice(("remove", "keep")),
            "Held-out examples that equal one of training, or test ones of validation: remove, or keep them.",
            since="0.2.0",
            before="keep",
        ),
        Key(
            "data.splitter",
            "iid",
            Synonyms(Registered("data/splitters"), {"": "iid"}),
            "How the examples are divided among clients; '': iid.",
        ),
        Key(
            "data.splitter_args",
            (),
            ListOf(Arguments(), most=1),
            "Arguments of the splitter, such as [{alpha: 0.5}] for lda.",
        ),
        Key(
            "data.split_by",
            "category",
            Choice(("category", "label")),
            "What the splitters meta and lda divide by: categories, or the classes of a task.",
            since="0.3.0",
            before="category",
        ),
        Key(
            "data.balance",
            False,
            Boolean(),
            "Use as many examples of each class, in every category.",
            since="0.3.0",
            before=False,
        ),
        Key(
            "data.shots",
            0,
            Integer(low=0),
            "Training examples of each class that a client has at most; 0: all.",
            since="0.3.0",
            before=0,
        ),
        Key(
            "data.client_examples",
            0,
            Integer(low=0),
            "Training examples that a client has at most; 0: all.",
            since="0.3.0",
            before=0,
        ),
        Key("data.subsample", 1.0, Number(above=0, high=1), "Fraction of the examples that is used."),
        Key("data.num_examples", 3000, Integer(low=1), "Examples to generate, for arithmetic@llm."),
        Key("data.worked", True, Boolean(), "arithmetic@llm: responses show the steps; False: the number alone."),
        Key(
            "data.steps",
            0,
            Integer(low=0),
            "arithmetic@llm: 1: bare sums; 2 to 4: word problems of at most so many steps; 0: word problems of any.",
        ),
    ),
)
