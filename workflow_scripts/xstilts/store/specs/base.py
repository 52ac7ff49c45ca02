"""What every spec has, and the roles of parents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xstilts.relative_path import RelativePath

# roles of parents
DATA, PREPARED, TOKENS, TOKENIZER, EMBEDDINGS = "data", "prepared", "tokens", "tokenizer", "embeddings"
# the model that a node starts from (below an adapter by level, ``model.1``), and the pretrained one whose head is used
MODEL, BASE = "model", "base"
LEARNING_RATE = "learning_rate"


def role(kind: str, name: object) -> str:
    """Return the role of one of several parents of a kind, such as ``tokens.mnli``."""
    return f"{kind}.{name}"


def is_kind(name: str, kind: str) -> bool:
    """Tell whether a role is of a kind."""
    return name == kind or name.startswith(f"{kind}.")


# roles of several parents: the members of a union or of a merged model, and evaluation data whose contexts may not be
# trained on
MEMBER, EXCLUDED = "member", "exclude"
# the training rows of which some stand in a prompt as examples
EXAMPLES = "examples"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every spec has.

    Attributes:
        version: the stage's version when it was planned.
        parents: role of each parent, and its node id.
    """

    stage: ClassVar[str]

    version: int
    parents: Mapping[str, RelativePath]

    def parents_of(self, kind: str) -> list[str]:
        """Return the ids of the parents of a kind, in the order of their roles' names."""
        return [self.parents[name] for name in sorted(self.parents) if is_kind(name, kind)]
