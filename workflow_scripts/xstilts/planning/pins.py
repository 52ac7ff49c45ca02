"""Models that a study names by a hub id or a folder, and what ``xstilts pin`` found them to be.

A study can name a model of the registry, ``owner/name`` of the hub, with ``@revision`` where it is not to be the
newest, or a folder, which begins with ``./``, ``../``, ``~/`` or ``/``. The file beside the study,
``<study>.pins.yaml``, says what the latter two are: files by SHA-256, and the architecture. The plan reads this file
and nothing else, so it needs neither the model nor a network. Files alone decide a model's path: a hub id and a folder
with the same files are one model.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from xstilts import schema
from xstilts.errors import UserError
from xstilts.store.files import file_sha256, write_atomically

_HUB = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
_FOLDER = ("./", "../", "~/", "/")
# as long as any other name
_LONGEST = 60
# how the registry has a model; of one without any it does not say where it is, so that a study may
_WAYS = ("hub", "weights_of", "pretrained", "generated")
_OTHER_NAME = (
    "rename the folder, or give the model another name in models.yaml of one of the `registries` of config.yaml"
)


@dataclass(frozen=True)
class Pin:
    """What a model is.

    Attributes:
        revision: commit of the hub's repository; None for a folder.
        licence: as the hub has it.
        family: ``encoder``, ``decoder`` or ``encoder-decoder``.
        parameters: their number, a pooler and a language-model head aside.
        parts: the same by module of the architecture.
        positions: tokens that it reads; None where it has no limit.
        shape: the numbers of its config.json, as the registry has them.
        size: ``vocabulary``, ``width`` and ``stacks`` of layers: their number, and of one the parameters and the linear
            layers.
        files: SHA-256 and bytes of each file that is used.
    """

    revision: str | None
    licence: str | None
    family: str
    parameters: int
    parts: Mapping[str, int]
    positions: int | None
    shape: Mapping[str, Any]
    size: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class PinnedModel:
    """A pinned model of a study: where it is, and what.

    Attributes:
        named: the hub id or folder, as the study has it.
        pin: what it is.
    """

    named: str
    pin: Pin

    @property
    def repository(self) -> str | None:
        """Its repository on the hub; None for a folder."""
        return hub_id(self.named)[0] if self.pin.revision is not None else None

    @property
    def folder(self) -> Path | None:
        """Its folder; None for a model of the hub."""
        return Path(self.named).expanduser() if self.pin.revision is None else None

    @property
    def hub(self) -> str | None:
        """Its repository and commit on the hub; None for a folder."""
        return f"{self.repository}@{self.pin.revision}" if self.repository else None

    def entry(self) -> dict[str, Any]:
        """Return what the registry would have of it, as ``schemas/models.yaml`` has it."""
        entry = {
            "hub": self.repository,
            "revision": self.pin.revision,
            "shape": self.pin.shape,
            "parameters": self.pin.parameters,
            "licence": self.pin.licence,
            "citation": f"{self.repository} at {self.pin.revision}" if self.repository else None,
        }
        stated = {key: value for key, value in entry.items() if value is not None}
        checked: dict[str, Any] = schema.check({"model": stated}, "models.yaml", self.named)["model"]
        return checked


def is_registered(named: str) -> bool:
    """Tell whether a study's model is named by the registry, not by a hub id or a folder."""
    return "/" not in named


def is_folder(named: str) -> bool:
    """Tell whether a study's model is named by a folder."""
    return named.startswith(_FOLDER)


def hub_id(named: str) -> tuple[str, str | None]:
    """Return repository and revision of a hub id; None for the newest."""
    match = _HUB.fullmatch(named)
    assert match is not None  # ``check_named`` has refused all others
    return match["repository"], match["revision"]


def check_named(named: str, study: Path) -> None:
    """Refuse a model of a study that is neither a name, nor a hub id, nor a folder.

    Raises:
        UserError: naming the study file.
    """
    if not (is_registered(named) or is_folder(named) or _HUB.fullmatch(named)):
        raise UserError(
            f"{study}: models: {named!r} is neither owner/name nor owner/name@revision of the hub; a folder begins with"
            " './', '../', '~/' or '/'"
        )


def name_of(named: str) -> str:
    """Return what a study calls a model, in its other keys and in tables: the last part of a hub id or folder."""
    if is_registered(named):
        return named
    last = (
        Path(os.path.abspath(Path(named).expanduser())).name if is_folder(named) else hub_id(named)[0].partition("/")[2]
    )
    return re.sub(r"[^A-Za-z0-9_+-]", "_", last).lstrip("_+-")[:_LONGEST] or "model"


def path_of(study: Path) -> Path:
    """Return where the pins of a study stand."""
    return study.with_name(f"{study.stem}.pins.yaml")


def is_pins(path: Path) -> bool:
    """Tell whether a file has pins, by its name."""
    return path.name.endswith(".pins.yaml")


def read(study: Path) -> dict[str, Pin]:
    """Return the pins of a study, by what the study calls the models; none where there is no file.

    Raises:
        UserError: naming the key that is wrong.
    """
    path = path_of(study)
    if not path.exists():
        return {}
    content = schema.check(schema.read_yaml(path), "pins.yaml", str(path))
    return {named: Pin(**entry) for named, entry in content["models"].items()}


def write(study: Path, pins: Mapping[str, Pin]) -> Path:
    """Write the pins of a study."""
    path = path_of(study)
    text = f"# Written by xstilts pin: what the models of {study.name} are. Keep it with the study.\n"
    content = {"models": {named: asdict(pin) for named, pin in sorted(pins.items())}}
    write_atomically(path, text + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return path


def models_of(study: Path) -> list[str]:
    """Return the hub ids and folders that a study names, and nothing of the registry.

    Raises:
        UserError: if the file is no study, or a model is named otherwise.
    """
    value = schema.check(schema.read_yaml(study), "study.yaml", str(study))
    for named in value["models"]:
        check_named(named, study)
    return [named for named in value["models"] if not is_registered(named)]


def refuse_changes(study: Path, named: str, pin: Pin) -> None:
    """Refuse a folder that has other files than when it was pinned.

    Files that nobody has touched since are not read again. A folder that is gone is none to be
    mistaken for what was pinned.

    Raises:
        UserError: naming the file and what accepts it.
    """
    folder = Path(named).expanduser()
    if not is_folder(named) or not os.path.isdir(folder):
        return
    pinned_at = path_of(study).stat().st_mtime
    for name, stated in pin.files.items():
        file = folder / name
        is_there = file.is_file()
        same_size = is_there and file.stat().st_size == stated["bytes"]
        if same_size and (file.stat().st_ctime < pinned_at or file_sha256(file) == stated["sha256"]):
            continue
        found = "changed" if is_there else "missing"
        raise UserError(f"{file}: {found} since it was pinned; restore it, or accept the folder: xstilts pin {study}")


def pinned(study: Path, models: Iterable[str], registered: Mapping[str, Mapping[str, Any]]) -> dict[str, PinnedModel]:
    """Return those of a study's models that it names by hub id or folder, by what the study calls them.

    Args:
        study: the study file.
        models: as the file names them.
        registered: the models of the registry.

    Raises:
        UserError: if one has no pin, is named otherwise, or two models have one name.
    """
    pins, found, calls = read(study), dict[str, PinnedModel](), dict[str, str]()
    for named in models:
        check_named(named, study)
        name = name_of(named)
        if name in calls:
            raise UserError(f"{study}: models: {calls[name]} and {named} would both be called {name!r}; {_OTHER_NAME}")
        calls[name] = named
        if is_registered(named):
            continue
        if named not in pins:
            raise UserError(f"{study}: models: {named} has no pin yet; run: xstilts pin {study}")
        found[name] = PinnedModel(named, pins[named])
        entry = registered.get(name)
        is_other = entry is not None and any(entry[way] is not None for way in _WAYS)
        if is_other and (is_folder(named) or registered[name]["hub"] != found[name].repository):
            raise UserError(f"{study}: models: {named} would be called {name!r}, which the registry has; {_OTHER_NAME}")
    return found
