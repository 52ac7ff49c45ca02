"""``python -m xstilts`` and ``xstilts``: see ``xstilts --help``."""

import sys

from xstilts.commands import main

sys.exit(main())
