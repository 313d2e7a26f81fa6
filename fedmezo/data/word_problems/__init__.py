"""Word problems with worked solutions: one file a kind, each a table of templates."""

from fedmezo.data.word_problems.cooking import COOKING
from fedmezo.data.word_problems.farm import FARM
from fedmezo.data.word_problems.savings import SAVINGS
from fedmezo.data.word_problems.school import SCHOOL
from fedmezo.data.word_problems.shopping import SHOPPING
from fedmezo.data.word_problems.sports import SPORTS
from fedmezo.data.word_problems.travel import TRAVEL
from fedmezo.data.word_problems.work import WORK

KINDS = (COOKING, FARM, SAVINGS, SCHOOL, SHOPPING, SPORTS, TRAVEL, WORK)
