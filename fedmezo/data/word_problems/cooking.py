"""Word problems about kitchens."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

BATCHES = Template(
    problems=(
        "{name} bakes {a} trays of {b} {food} each. {c} of them burn and the others are packed {d} to a "
        "box. How many boxes are filled?",
        "Out of {a} trays with {b} {food} each, {name} has to throw {c} away. The rest goes into boxes of "
        "{d}. How many boxes are there?",
    ),
    numbers={"a": (3, 9), "b": (6, 24), "c": (2, 20), "d": (2, 8)},
    steps=(
        Step("all = a * b", ("The trays hold {e} {food}.", "{name} bakes {e} {food}.")),
        Step("good = all - c", ("Of these {e} are good.", "Without the bad ones {e} remain.")),
        Step("boxes = good / d", ("They fill {e} boxes.", "At {r} a box, that makes {v} boxes.")),
    ),
)

RECIPE = Template(
    problems=(
        "A recipe for {a} people needs {b} grams of {ware}. How many grams does {name} need for {c} people?",
        "{name} cooks for {c} people from a recipe that takes {b} grams of {ware} for {a}. How many grams "
        "of {ware} are needed?",
    ),
    numbers={"a": (2, 8), "b": (60, 800), "c": (3, 20)},
    steps=(
        Step("one = b / a", ("One person needs {e} grams.", "Per person it is {e} grams.")),
        Step("all = one * c", ("For everyone it is {e} grams.", "So {r} people need {v} grams.")),
    ),
)

PANTRY = Template(
    problems=(
        "{name} has {a} bags of {ware}, {b} grams in each, and uses {c} grams a day for {d} days. How many "
        "grams are left?",
        "In the pantry there are {a} bags with {b} grams of {ware}. Over {d} days {name} takes {c} grams "
        "daily. How much is left, in grams?",
    ),
    numbers={"a": (2, 8), "b": (100, 500), "c": (20, 120), "d": (2, 9)},
    steps=(
        Step("stock = a * b", ("At first there are {e} grams.", "The bags hold {e} grams.")),
        Step("used = c * d", ("{name} uses {e} grams.", "In {r} days {e} grams are gone.")),
        Step("left = stock - used", ("What is left is {e} grams.", "From {l} grams {v} stay.")),
    ),
)

COOKING = ProblemKind(
    category="cooking",
    words={
        "food": ("rolls", "muffins", "pies", "biscuits", "dumplings", "pretzels"),
        "ware": ("flour", "rice", "lentils", "sugar", "oats", "pasta"),
    },
    templates=(BATCHES, RECIPE, PANTRY),
)
