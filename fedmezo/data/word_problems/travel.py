"""Word problems about journeys."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

TWO_LEGS = Template(
    problems=(
        "{name} rides a {vehicle} for {a} hours at {b} km per hour and then walks {c} km to {place}. How "
        "long is the way?",
        "To reach {place}, {name} takes a {vehicle} doing {b} km per hour for {a} hours and walks the last "
        "{c} km. How many kilometres is that?",
    ),
    numbers={"a": (2, 9), "b": (15, 90), "c": (2, 12)},
    steps=(
        Step("ride = a * b", ("The ride covers {e} km.", "By {vehicle} it is {e} km.")),
        Step("way = ride + c", ("The whole way is {e} km.", "Walking adds {r} km, so {e} km.")),
    ),
)

REMAINING = Template(
    problems=(
        "The road to {place} is {a} km long. {name} drives {b} km on each of {c} days and covers the rest "
        "in {d} equal parts. How long is one part?",
        "After {c} days of {b} km each on the {a} km road to {place}, {name} divides what remains into {d} "
        "equal parts. How many kilometres has each?",
    ),
    numbers={"a": (200, 900), "b": (30, 90), "c": (2, 6), "d": (2, 6)},
    steps=(
        Step("done = b * c", ("So far {name} has driven {e} km.", "The days cover {e} km.")),
        Step("rest = a - done", ("There remain {e} km.", "Of {l} km, {v} km are left.")),
        Step("part = rest / d", ("One part is {e} km.", "Each part is {l} / {r}, that is {v} km.")),
    ),
)

COSTS = Template(
    problems=(
        "A {vehicle} needs {a} litres for 100 km. {name} travels {b} times 100 km to {place} and back the "
        "same way. A litre costs {c} dollars and the toll {d} dollars. What does the journey cost?",
        "{name} takes a {vehicle} that burns {a} litres every 100 km to {place}, {b} times 100 km away, and "
        "returns. At {c} dollars a litre and {d} dollars of toll, what is spent?",
    ),
    numbers={"a": (4, 12), "b": (2, 9), "c": (2, 4), "d": (5, 40)},
    steps=(
        Step("there = a * b", ("One way takes {e} litres.", "Going there burns {e} litres.")),
        Step("both = there * 2", ("Both ways take {e} litres.", "There and back it is {e} litres.")),
        Step("cost = both * c", ("The fuel costs {e} dollars.", "At {r} dollars each, that is {v} dollars.")),
        Step("all = cost + d", ("The toll makes it {e} dollars.", "With the toll: {e} dollars.")),
    ),
)

TRAVEL = ProblemKind(
    category="travel",
    words={
        "vehicle": ("bus", "van", "scooter", "truck", "motorbike", "taxi"),
        "place": ("the coast", "the lake", "the capital", "the border", "the mountains", "the harbour"),
    },
    templates=(TWO_LEGS, REMAINING, COSTS),
)
