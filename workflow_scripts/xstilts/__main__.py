"""``python -m xstilts`` and ``xstilts``: see ``xstilts --help``."""

import sys

from xstilts.warm import client

code = client.run(sys.argv[1:])
if code is None:
    from xstilts.commands import main

    code = main()
sys.exit(code)
