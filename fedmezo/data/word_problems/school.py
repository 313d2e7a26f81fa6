"""Word problems about classes and homework."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

PAGES = Template(
    problems=(
        "A {book} has {a} pages. {name} reads {b} pages a day for {c} days, then {d} pages a day. How many "
        "more days does the {book} last?",
        "{name} has read {b} pages of a {a} page {book} on each of {c} days and goes on with {d} pages a "
        "day. How many days are still needed?",
    ),
    numbers={"a": (90, 400), "b": (5, 30), "c": (3, 9), "d": (4, 20)},
    steps=(
        Step("read = b * c", ("{name} has read {e} pages.", "The first days cover {e} pages.")),
        Step("rest = a - read", ("There are {e} pages to go.", "Of {l} pages {v} remain.")),
        Step("days = rest / d", ("They take {e} days.", "At {r} a day this takes {v} days.")),
    ),
)

CLASSES = Template(
    problems=(
        "A school has {a} classes of {b} pupils. {c} pupils are ill today, and the others form {d} equal "
        "teams for {event}. How large is a team?",
        "From {a} classes with {b} pupils each, {c} pupils stay at home. For {event} the rest is divided "
        "into {d} teams of the same size. How many are in one?",
    ),
    numbers={"a": (3, 9), "b": (15, 30), "c": (3, 20), "d": (4, 12)},
    steps=(
        Step("all = a * b", ("The school has {e} pupils.", "In the classes there are {e} pupils.")),
        Step("here = all - c", ("Today {e} are here.", "Without the ill ones it is {e}.")),
        Step("team = here / d", ("A team has {e} pupils.", "Each of the {r} teams gets {v}.")),
    ),
)

POINTS = Template(
    problems=(
        "In a test for {event}, {name} has {a} answers right at {b} points each and loses {c} points. "
        "{other} scores {d} points more than {name}. What is the score of {other}?",
        "{name} gets {b} points for each of {a} right answers, minus {c}. {other} is {d} points ahead at "
        "{event}. How many points has {other}?",
    ),
    numbers={"a": (5, 20), "b": (3, 9), "c": (2, 14), "d": (3, 25)},
    steps=(
        Step("right = a * b", ("The answers give {e} points.", "{name} earns {e} points.")),
        Step("score = right - c", ("After the loss it is {e}.", "That leaves {name} with {e} points.")),
        Step("other = score + d", ("{other} has {e} points.", "Adding {r} gives {other} {v} points.")),
    ),
)

SCHOOL = ProblemKind(
    category="school",
    words={
        "book": ("novel", "textbook", "biography", "play", "diary"),
        "event": ("the quiz", "sports day", "the science fair", "the spelling contest", "the project week"),
    },
    templates=(PAGES, CLASSES, POINTS),
)
