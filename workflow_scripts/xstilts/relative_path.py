"""Relative paths that stay inside their folder: the one rule for every file name that is not the code's own.

Task files, indexes, specs, manifests, addresses and archives name files, and a name is joined to a folder only if it is
such a path. Whoever writes a file checks its name again (``store.files.target``).

Links: a file of a mirror or of a model folder may be a link to anywhere. These folders are a user's own, on clusters
often made of links, and the SHA-256 in their index decides what a file is. Nothing is ever written through a link, and
no member of an archive is taken that is one.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

RULE = (
    "a relative path inside its folder: parts with '/' between them, none of them '.', '..' or empty, without a"
    " backslash, a control character, a drive, or '~' in front"
)
# bytes of a part, of which file systems take 255 and names of scratch files need some more; characters of the whole
_LONGEST_PART, _LONGEST = 200, 1024
_DRIVE = re.compile("[A-Za-z]:")


def is_inside(name: str) -> bool:
    """Tell whether a name is a relative path, written the one way, that leaves its folder on no system."""
    if not name.isprintable() or len(name) > _LONGEST or "\\" in name or name.startswith("~") or _DRIVE.match(name):
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_PART for part in name.split("/"))


def _checked(name: str) -> str:
    if not is_inside(name):
        raise ValueError(f"{name!r} is not {RULE}")
    return name


# the type of such a name in dataclasses that are read from JSON
RelativePath = Annotated[str, AfterValidator(_checked)]
