"""Word problems about jobs and workshops."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

WAGES = Template(
    problems=(
        "{name} works {a} hours a day for {b} days as a {job} at {c} dollars an hour and pays {d} dollars "
        "for tools. How much remains?",
        "As a {job}, {name} earns {c} dollars an hour. After {b} days of {a} hours, {d} dollars go to new "
        "tools. What is left of the pay?",
    ),
    numbers={"a": (3, 9), "b": (3, 12), "c": (11, 30), "d": (20, 90)},
    steps=(
        Step("hours = a * b", ("{name} works {e} hours.", "That makes {e} hours.")),
        Step("pay = hours * c", ("The pay is {e} dollars.", "For {l} hours there are {v} dollars.")),
        Step("left = pay - d", ("What remains is {e} dollars.", "The tools leave {e} dollars.")),
    ),
)

ORDERS = Template(
    problems=(
        "A workshop has to make {a} {thing}. {name} makes {b} and {other} makes {c} of them a day. In how "
        "many days is the order done, if {d} {thing} are ready already?",
        "{name} finishes {b} {thing} a day and {other} {c}. With {d} ready, how many days do they need for "
        "an order of {a}?",
    ),
    numbers={"a": (60, 300), "b": (3, 14), "c": (3, 14), "d": (5, 40)},
    steps=(
        Step("open = a - d", ("They still have to make {e}.", "There are {e} {thing} to make.")),
        Step("pace = b + c", ("A day gives {e} {thing}.", "Together they make {e} a day.")),
        Step("days = open / pace", ("That takes {e} days.", "At {r} a day they need {v} days.")),
    ),
)

TEAM = Template(
    problems=(
        "Each {job} in a team of {a} makes {b} {thing} an hour. A shift has {c} hours, and {d} {thing} fail "
        "the test. How many are good?",
        "A team of {a} works {c} hours. Every {job} makes {b} {thing} an hour, but {d} in all are faulty. "
        "How many good ones are there?",
    ),
    numbers={"a": (2, 9), "b": (3, 12), "c": (3, 9), "d": (4, 30)},
    steps=(
        Step("hour = a * b", ("An hour gives {e} {thing}.", "The team makes {e} an hour.")),
        Step("shift = hour * c", ("The shift makes {e}.", "In {r} hours that is {v} {thing}.")),
        Step("good = shift - d", ("Of these {e} are good.", "Without the faulty ones {e} stay.")),
    ),
)

WORK = ProblemKind(
    category="work",
    words={
        "job": ("carpenter", "painter", "gardener", "tailor", "mechanic", "potter"),
        "thing": ("chairs", "frames", "baskets", "jackets", "bowls", "shelves"),
    },
    templates=(WAGES, ORDERS, TEAM),
)
