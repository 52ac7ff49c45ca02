"""The sources whose data are made up, by name: a declaration, which planning may import too.

Each has ``makes(name)``, which tells whether it has a file, beside what every source has.
"""

from types import ModuleType

from xstilts.data.sources import miniature, tiny

MADE_UP: dict[str, ModuleType] = {"tiny": tiny, "miniature": miniature}
# what stands in place of a licence or a citation of such data
WORDS = "made up"
