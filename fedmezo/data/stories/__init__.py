"""Word problems with worked solutions: one file a kind, each a table of templates."""

from fedmezo.data.stories.cooking import COOKING
from fedmezo.data.stories.farm import FARM
from fedmezo.data.stories.savings import SAVINGS
from fedmezo.data.stories.school import SCHOOL
from fedmezo.data.stories.shopping import SHOPPING
from fedmezo.data.stories.sports import SPORTS
from fedmezo.data.stories.travel import TRAVEL
from fedmezo.data.stories.work import WORK

KINDS = (COOKING, FARM, SAVINGS, SCHOOL, SHOPPING, SPORTS, TRAVEL, WORK)
