"""Nodes of one results folder brought into another one: what tables, figures and reports are made from.

Data, tokens, vectors and weights stay where they are: nothing that is written of a study reads them. Of a model its
tokenizer is brought, and of a training what it cost and how it went, as if its weights had been deleted.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from xstilts.errors import UserError
from xstilts.relative_path import RULE, is_inside
from xstilts.store import lock, manifest, node, opening, provenance
from xstilts.store.files import written_whole
from xstilts.store.model_folder import MODEL_FILES
from xstilts.store.stages import STAGES

# stages whose nodes are brought whole; and the files of others that are
_WHOLE = ("prepared", "tokenizers", "predictions", "retrieval")
_FILES = (provenance.FILE, node.HISTORY, *MODEL_FILES)


def bring(nodes: Iterable[str], source: Path, results: Path) -> list[str]:
    """Bring nodes from a results folder into another one, each whole or not at all.

    What the other folder has already stays.

    Args:
        nodes: their ids; those that are not there are passed over.
        source: the results folder that they are in.
        results: the results folder that they are brought into.

    Returns:
        The ids of nodes that both folders have, with other files.

    Raises:
        UserError: if an id is none.
        DamagedError: if a node is not as its maker left it.
    """
    if source.resolve() == results.resolve():
        return []
    return [name for name in nodes if not _is_brought(_checked_id(name), source, results)]


def _checked_id(name: str) -> str:
    if not is_inside(name) or name.count("/") != 1 or name.partition("/")[0] not in STAGES:
        raise UserError(f"{name!r}: no id of a node, <stage>/<name>, which must be {RULE}; run the study again")
    return name


def _is_brought(name: str, source: Path, results: Path) -> bool:
    """Bring a node, and tell whether both folders now have the same of it."""
    if name.partition("/")[0] not in _WHOLE:
        for file in _FILES:
            if (source / name / file).is_file() and not (results / name / file).exists():
                (results / name).mkdir(parents=True, exist_ok=True)
                with written_whole(results / name / file) as partial:
                    shutil.copyfile(source / name / file, partial)
        return True
    if not opening.is_there(source / name):
        return True
    with lock.held(source / name, shared=True):
        files = opening.checked(source, name).files
        with lock.held(results / name):
            if opening.is_there(results / name):
                return manifest.of_node(results / name).files == files
            # what a withdrawn node has left
            shutil.rmtree(results / name, ignore_errors=True)
            (results / name).parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=(results / name).parent, prefix=".brought."))
            try:
                shutil.copytree(source / name, scratch / "node")
                os.rename(scratch / "node", results / name)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return True
