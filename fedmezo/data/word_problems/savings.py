"""Word problems about money that is put aside."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

GOAL = Template(
    problems=(
        "{name} wants a {goal} for {a} dollars, has {b} dollars and saves {c} dollars a week. In how many "
        "weeks is the {goal} paid?",
        "A {goal} costs {a} dollars. {name} already owns {b} dollars and puts {c} aside each week. How many "
        "weeks does it take?",
    ),
    numbers={"a": (80, 400), "b": (10, 75), "c": (4, 25)},
    steps=(
        Step("missing = a - b", ("There are {e} dollars missing.", "{name} still needs {e} dollars.")),
        Step("weeks = missing / c", ("That takes {e} weeks.", "With {r} a week, {v} weeks are enough.")),
    ),
)

TOGETHER = Template(
    problems=(
        "{name} saves {a} dollars a month and {other} {b} dollars more than that. After {c} months they buy "
        "a {goal} for {d} dollars. How much do they still have?",
        "Each month {other} puts {b} dollars more into the jar than {name}, who puts in {a}. What is left "
        "of {c} months' savings when a {goal} for {d} dollars is paid?",
    ),
    numbers={"a": (6, 60), "b": (3, 40), "c": (3, 12), "d": (60, 300)},
    steps=(
        Step("second = a + b", ("{other} saves {e} dollars.", "For {other} it is {e} dollars.")),
        Step("month = a + second", ("A month brings {e} dollars.", "Both together save {e} dollars.")),
        Step("all = month * c", ("After {r} months it is {e} dollars.", "Over the months {e} dollars add up.")),
        Step("left = all - d", ("The {goal} leaves {e} dollars.", "Of that {e} dollars stay.")),
    ),
)

SPENT = Template(
    problems=(
        "{name} puts {a} dollars aside in each of {b} months, spends half of it on a {goal} and gives {c} "
        "dollars to {other}. How much is left?",
        "After saving {a} dollars a month for {b} months, {name} pays half of the money for a {goal} and "
        "lends {other} {c} dollars. What remains?",
    ),
    numbers={"a": (12, 80), "b": (3, 12), "c": (4, 30)},
    steps=(
        Step("saved = a * b", ("The savings are {e} dollars.", "{name} saves {e} dollars.")),
        Step("half = saved / 2", ("Half of it is {e} dollars.", "The {goal} leaves {e} dollars.")),
        Step("left = half - c", ("In the end there are {e} dollars.", "Minus {r} for {other}, {v} remain.")),
    ),
)

SAVINGS = ProblemKind(
    category="savings",
    words={"goal": ("bicycle", "camera", "guitar", "tent", "telescope", "keyboard", "kayak", "sewing machine")},
    templates=(GOAL, TOGETHER, SPENT),
)
