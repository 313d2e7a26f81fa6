"""Word problems about buying."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

BUY_TWO = Template(
    problems=(
        "{name} buys {a} {item} at {b} dollars each and a bag for {c} dollars, and pays with {d} dollars. "
        "How much change is there?",
        "A bag costs {c} dollars and {item} cost {b} dollars apiece. {name} takes one bag and {a} {item}. "
        "How much is left of {d} dollars?",
    ),
    numbers={"a": (3, 12), "b": (2, 15), "c": (4, 30), "d": (50, 250)},
    steps=(
        Step("cost = a * b", ("The {item} cost {e} dollars.", "For {l} {item} that makes {e} dollars.")),
        Step("total = cost + c", ("With the bag it is {e} dollars.", "The bag brings it to {e} dollars.")),
        Step("rest = d - total", ("That leaves {e} dollars.", "Taking {r} from {l} leaves {v} dollars.")),
    ),
)

DISCOUNT = Template(
    problems=(
        "A box of {item} costs {a} dollars, but today {b} dollars less. How much do {c} boxes cost {name} today?",
        "{name} has a coupon that takes {b} dollars off every box of {item}. One box is marked {a} dollars. "
        "What does {name} pay for {c} boxes?",
    ),
    numbers={"a": (9, 60), "b": (2, 8), "c": (3, 14)},
    steps=(
        Step("price = a - b", ("One box costs {e} dollars.", "A box is reduced to {e} dollars.")),
        Step("total = price * c", ("All boxes cost {e} dollars.", "So {r} of them come to {e} dollars.")),
    ),
)

SHARED = Template(
    problems=(
        "{name} and friends, {c} people in all, buy {a} {item} at {b} dollars each and share the cost "
        "equally. {name} also buys a drink for {d} dollars. How much does {name} pay?",
        "At {b} dollars each, {a} {item} are paid in equal parts by {c} people, one of them {name}, who "
        "adds {d} dollars for a drink. What does {name} spend?",
    ),
    numbers={"a": (4, 24), "b": (2, 12), "c": (2, 8), "d": (2, 9)},
    steps=(
        Step("cost = a * b", ("Together they spend {e} dollars.", "The {item} cost {e} dollars.")),
        Step("part = cost / c", ("Each one pays {e} dollars.", "Split {r} ways, that is {v} dollars each.")),
        Step("total = part + d", ("With the drink {name} pays {e} dollars.", "{name} spends {e} dollars.")),
    ),
)

SHOPPING = ProblemKind(
    category="shopping",
    words={"item": ("pens", "candles", "mugs", "notebooks", "plants", "puzzles", "scarves", "lamps", "posters")},
    templates=(BUY_TWO, DISCOUNT, SHARED),
)
