"""Word problems about training and matches."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

TRAINING = Template(
    problems=(
        "{name} {moves} {a} laps of {b} metres on each of {c} days, and {d} metres on Sunday. How many "
        "metres is that in the week?",
        "On {c} days a week {name} {moves} {a} laps, a lap being {b} metres; Sunday adds {d} metres. What "
        "is the weekly distance in metres?",
    ),
    numbers={"a": (4, 16), "b": (25, 120), "c": (2, 6), "d": (100, 900)},
    steps=(
        Step("day = a * b", ("A day has {e} metres.", "Daily it is {e} metres.")),
        Step("days = day * c", ("The days make {e} metres.", "On {r} days that is {v} metres.")),
        Step("week = days + d", ("With Sunday it is {e} metres.", "Sunday brings it to {e} metres.")),
    ),
)

GOALS = Template(
    problems=(
        "{name} scored {a} points in the first {match} and {b} more in the second. {other} scored half of "
        "what {name} has in both. How many points has {other}?",
        "In two {match}es {name} made {a} points, then {b} points more than that. {other} made half of the "
        "sum. What did {other} make?",
    ),
    numbers={"a": (6, 60), "b": (2, 30)},
    steps=(
        Step("second = a + b", ("The second time it was {e} points.", "Then {name} scored {e}.")),
        Step("both = a + second", ("In both it is {e} points.", "{name} has {e} points in all.")),
        Step("half = both / 2", ("Half of that is {e}.", "{other} has {e} points.")),
    ),
)

CLUB = Template(
    problems=(
        "A club has {a} members who pay {b} dollars a year. It spends {c} dollars on {gear} and the rest in "
        "equal parts on {d} {match}es. How much is that for each?",
        "With {a} members at {b} dollars a year, {name} buys {gear} for {c} dollars and has the rest for "
        "{d} {match}es of equal cost. What may one cost?",
    ),
    numbers={"a": (10, 40), "b": (10, 60), "c": (40, 300), "d": (2, 9)},
    steps=(
        Step("income = a * b", ("The club takes in {e} dollars.", "The members pay {e} dollars.")),
        Step("rest = income - c", ("After the {gear} it has {e} dollars.", "There remain {e} dollars.")),
        Step("one = rest / d", ("One {match} gets {e} dollars.", "Over {r} {match}es, {v} dollars each.")),
    ),
)

SPORTS = ProblemKind(
    category="sports",
    words={
        "moves": ("runs", "swims", "skates", "rows"),
        "match": ("match", "sprint match", "cup match"),
        "gear": ("jerseys", "nets", "helmets", "balls"),
    },
    templates=(TRAINING, GOALS, CLUB),
)
