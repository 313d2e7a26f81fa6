"""Word problems about fields and animals."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

HARVEST = Template(
    problems=(
        "{name} picks {a} {crop} from each of {b} rows and {other} picks {c} more. They sell them in crates "
        "of {d}. How many crates do they fill?",
        "There are {b} rows with {a} {crop} each; {other} brings another {c}. {name} packs {d} into every "
        "crate. How many crates are needed?",
    ),
    numbers={"a": (8, 30), "b": (3, 12), "c": (5, 40), "d": (4, 12)},
    steps=(
        Step("rows = a * b", ("The rows give {e} {crop}.", "{name} has {e} {crop}.")),
        Step("all = rows + c", ("With those of {other}: {e}.", "Together they have {e} {crop}.")),
        Step("crates = all / d", ("They fill {e} crates.", "In crates of {r} that is {v} crates.")),
    ),
)

FEED = Template(
    problems=(
        "{name} keeps {a} {animal}. Each one eats {b} kg a day. How long, in days, do {c} sacks of {d} kg last?",
        "A farm has {a} {animal} that eat {b} kg each per day, and {c} sacks holding {d} kg apiece. For how "
        "many days can {name} feed them?",
    ),
    numbers={"a": (3, 15), "b": (2, 6), "c": (4, 20), "d": (10, 50)},
    steps=(
        Step("need = a * b", ("A day takes {e} kg.", "The {animal} eat {e} kg a day.")),
        Step("feed = c * d", ("The sacks hold {e} kg.", "There are {e} kg of feed.")),
        Step("days = feed / need", ("That lasts {e} days.", "With {r} kg a day it lasts {v} days.")),
    ),
)

HERD = Template(
    problems=(
        "{name} had {a} {animal}. {b} were sold and {c} were born, then the number doubled. They graze on "
        "{d} equal meadows. How many {animal} are on each?",
        "Of {a} {animal}, {name} sells {b}. Later {c} young ones arrive, and a neighbour's herd doubles the "
        "number. How many {animal} stand in each of {d} equally full stables?",
    ),
    numbers={"a": (20, 90), "b": (3, 18), "c": (2, 25), "d": (2, 8)},
    steps=(
        Step("kept = a - b", ("After the sale {e} remain.", "{name} keeps {e} {animal}.")),
        Step("grown = kept + c", ("With the young ones it is {e}.", "The births make it {e}.")),
        Step("now = grown * 2", ("Doubled, that is {e} {animal}.", "Twice {l} is {v}.")),
        Step("each = now / d", ("Each place has {e}.", "Divided by {r} that is {v} {animal}.")),
    ),
)

FARM = ProblemKind(
    category="farm",
    words={
        "crop": ("pumpkins", "melons", "cabbages", "apples", "leeks", "pears"),
        "animal": ("goats", "sheep", "cows", "pigs", "ponies", "llamas"),
    },
    templates=(HARVEST, FEED, HERD),
)
