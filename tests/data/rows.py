"""Rows of our own writing, in the format of Dolly-15K: 24, of its eight categories."""

_OF_CATEGORIES = {
    "closed_qa": [
        ("When does the shop open?", "The shop opens at nine and closes at six.", "At nine."),
        ("Who keeps the bees?", "Ada grows plums. Her brother keeps bees.", "Ada's brother."),
        ("How deep is the pond?", "The pond is two metres deep and full of reeds.", "Two metres."),
    ],
    "open_qa": [
        ("Why does bread rise?", "", "Yeast makes gas, and the dough holds it."),
        ("What is a lighthouse for?", "", "It shows ships where the coast is."),
        ("Why do leaves fall?", "", "A tree sheds them to save water in winter."),
    ],
    "general_qa": [
        ("Should one read the manual first?", "", "Usually; it is shorter than the repair."),
        ("What makes a good map?", "", "It leaves out what its reader does not need."),
        ("Is it better to walk or to cycle?", "", "That depends on the way and on the weather."),
    ],
    "classification": [
        ("Fruit or tool: hammer, pear, saw, plum?", "", "Fruit: pear, plum. Tools: hammer, saw."),
        ("Which of these fly: owl, trout, moth?", "", "The owl and the moth fly."),
        ("Even or odd: 3, 8, 11?", "", "8 is even; 3 and 11 are odd."),
    ],
    "brainstorming": [
        ("Name things to do on a rainy day.", "", "Bake, mend, read, write a letter."),
        ("Suggest names for a grey cat.", "", "Ash, Pewter, Drizzle."),
        ("What could an old door become?", "", "A table, a bench, a notice board."),
    ],
    "creative_writing": [
        ("Write a line about the sea.", "", "The sea keeps folding the same grey sheet."),
        ("Begin a story about a key.", "", "The key fitted every lock but its own."),
        ("Describe a station at night.", "", "One lamp, one bench, and a clock nobody winds."),
    ],
    "information_extraction": [
        ("List the towns.", "We drove from Lund to Malmo and on to Ystad.", "Lund, Malmo, Ystad."),
        ("Give the year.", "The bridge was finished in 1932, after long delay.", "1932."),
        ("List the colours.", "A red barn under a blue sky, with a white fence.", "Red, blue, white."),
    ],
    "summarization": [
        ("Sum this up.", "It rained for a week. The river rose. The fields were flooded.", "Rain flooded the fields."),
        (
            "Say it briefly.",
            "He lost the first game, won the second and lost the third.",
            "He lost two of three games.",
        ),
        ("Shorten this.", "The meeting began late, ran long, and decided nothing.", "A long meeting without result."),
    ],
}
DOLLY = [
    {"instruction": instruction, "context": context, "response": response, "category": category}
    for category, rows in _OF_CATEGORIES.items()
    for instruction, context, response in rows
]
