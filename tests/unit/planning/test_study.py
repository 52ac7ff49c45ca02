"""Studies: wrong ones get one line that names the file, the key and what to do."""

from pathlib import Path

import pytest
import yaml
from xstilts.errors import UserError

from tests.builders.plans import study_with
from tests.builders.projects import STUDY, plan_of


def test_limits_of_a_task_hold_in_another_language(tmp_path):
    tasks = {"mnli": {"train_rows": 100}, "mnli@de": {"source": "download", "dev_rows": 7}}
    study = study_with(tmp_path, tasks=tasks)
    assert study.limits("mnli@de").train_rows == study.limits("mnli@ru").train_rows == 100
    assert (study.limits("mnli@de").dev_rows, study.limits("mnli@ru").dev_rows) == (7, 16)
    assert (study.source_of("mnli@de"), study.source_of("mnli")) == ("download", "tiny")


def set_at(*path_and_value):
    *path, value = path_and_value

    def edit(study):
        for part in path[:-1]:
            study = study[part]
        study[path[-1]] = value

    return edit


MANY_MIXTURES = {"none": None, "three": ["mnli", "squad_v1", "udpos"]} | {f"m{i}": ["mnli"] for i in range(100)}
BAD = {
    "unknown key": (set_at("mixture", {}), r"mixture: unknown key; did you mean 'mixtures'\?"),
    "unknown nested key": (
        set_at("recipes", "quick", "target", "epoch", 3),
        r"recipes\.quick\.target\.epoch: unknown key; did you mean 'epochs'\?",
    ),
    "missing key": (lambda study: study.pop("models"), r"needs the key 'models'"),
    "override without effect": (
        set_at("recipes", {"own": {"target": {"overrides": {"tatoeba": {"max_length": 64}}}}}),
        r"overrides\.tatoeba: tatoeba is not trained; its length stands in the recipe's `bitext` section",
    ),
    "learning rate without bound": (
        set_at("recipes", "quick", "target", "learning_rate", 1e308),
        r"recipes\.quick\.target\.learning_rate: must be <= 10, found 1e\+308",
    ),
    "rates of a grid": (
        set_at("recipes", "quick", "target", "learning_rate", [1e-5, 1e300]),
        r"target\.learning_rate\.1: must be <= 10, found 1e\+300",
    ),
    "steps without bound": (
        set_at("mixtures", "new", {"tasks": ["mnli"], "steps": 1e300}),
        r"mixtures\.new\.steps: must be <= 1000000000, found 1e\+300",
    ),
    "epochs without bound": (
        set_at("recipes", "quick", "target", "epochs", 10**21),
        r"target\.epochs: must be <= 10000, found 1000000000000000000000",
    ),
    "batch without bound": (
        set_at("recipes", "quick", "intermediate", "batch_size", 10**18),
        r"intermediate\.batch_size: must be <= 1000000, found 1000000000000000000",
    ),
    "negative seed": (set_at("seeds", [-1]), r"seeds\.0: must be >= 0, found -1"),
    "infinite temperature": (
        set_at("mixtures", "new", {"tasks": ["mnli"], "temperature": float("inf")}),
        r"mixtures\.new\.temperature: inf is not a number",
    ),
    "name with a line break": (set_at("mixtures", "a\n", ["mnli"]), r"mixtures: 'a\\n' is not of the form letters"),
    "target with a line break": (set_at("targets", "xnli\n", None), r"targets: 'xnli\\n' is not of the form"),
    "target in no language": (
        set_at("targets", "xnli@", None),
        r"targets: write 'xnli' for 'xnli@'; en is the default",
    ),
    "task in no language": (set_at("mixtures", "new", ["mnli@"]), r"mixtures\.new: write 'mnli' for 'mnli@'"),
    "override in no language": (
        set_at("recipes", "quick", "target", "overrides", {"mnli@": {"epochs": 1}}),
        r"target\.overrides: write 'mnli' for 'mnli@'",
    ),
    "override in an unknown language": (
        set_at("recipes", "quick", "target", "overrides", {"mnli@zz": {"epochs": 1}}),
        r"target\.overrides: unknown language 'zz'",
    ),
    "inputs longer than the model reads": (
        set_at("recipes", "quick", "target", "max_length", 255),
        r"study\.yaml: recipes: max_length 255 for \w+\.\w+: tiny reads 254 tokens; lower max_length in the recipe",
    ),
    "vectors of longer inputs than the model reads": (
        set_at("recipes", "quick", "bitext", {"max_length": 512}),
        r"max_length 512 for tatoeba\.evaluation: tiny reads 254 tokens; lower .* `bitext`",
    ),
    "more results than can be planned": (
        lambda study: study.update(seeds=list(range(1000)), mixtures=MANY_MIXTURES),
        r"study\.yaml: asks for 4?[0-9,]+ results .* `shots` in languages\), at most 100,000; divide it",
    ),
    "mixtures without end": (
        set_at("mixtures", {f"m{i}": [f"m{i + 1}"] if i < 30 else ["mnli"] for i in range(31)}),
        r"mixtures\.m20: stands in more than 20 mixtures",
    ),
    "seed too large": (set_at("seeds", [2**40]), r"seeds\.0: must be <= 4294967295"),
    "not a number": (
        set_at("mixtures", "new", [{"task": "mnli", "rate": float("nan")}]),
        r"mixtures\.new\.0\.rate: nan is not a number",
    ),
    "no target": (lambda study: study.pop("targets"), r"targets: needs at least one target, or a `benchmark`"),
    "unknown benchmark": (set_at("benchmark", "xtrem"), r"unknown benchmark 'xtrem'; did you mean 'xtreme'\?"),
    "unknown task": (
        set_at("mixtures", "new", ["mnly"]),
        r"mixtures\.new: unknown task or mixture 'mnly'; did you mean 'mnli'\?",
    ),
    "unknown target": (set_at("targets", "xnly", None), r"unknown task 'xnly'; did you mean 'xnli'\?"),
    "unknown language": (set_at("languages", ["en", "xx"]), r"languages: unknown language 'xx'"),
    "unknown model": (set_at("models", ["tinny"]), r"models: unknown model 'tinny'; did you mean 'tiny'\?"),
    "unknown mixture of a model": (
        set_at("models", {"tiny": {"mixtures": ["tree"]}}),
        r"models\.tiny\.mixtures: unknown mixture 'tree'; did you mean 'three'\?",
    ),
    "unknown side of a contrast": (
        set_at("contrasts", {"gain": {"mixture": ["tree", "none"]}}),
        r"contrasts\.gain\.mixture: unknown mixture 'tree'; did you mean 'three'\?",
    ),
    "contrast of two axes": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none"], "model": ["tiny", "other"]}}),
        r"contrasts\.gain: needs one of `model` and `mixture`, has 2",
    ),
    "contrast that never meets": (
        lambda study: study.update(
            models={"tiny": {"mixtures": ["none"]}, "multilingual-bert": {"mixtures": ["three"]}},
            contrasts={"size": {"model": ["tiny", "multilingual-bert"]}},
        ),
        r"contrasts\.size\.model: tiny and multilingual-bert have no mixture or recipe in common",
    ),
    "sizes that run down": (
        set_at("mixtures", "varied", {"subsets": {"of": "three", "sizes": "3..1"}}),
        r"mixtures\.varied\.subsets\.sizes: 3\.\.1 has no number in it; write 1\.\.3",
    ),
    "subsets of none": (
        set_at("mixtures", "curve", {"leave_one_out": "none"}),
        r"mixtures\.curve: 'none' has no tasks to choose from",
    ),
    "contrast with three sides": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none", "three"]}}),
        r"contrasts\.gain\.mixture",
    ),
    "contrast on an unknown target": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none"], "targets": ["xnly"]}}),
        r"contrasts\.gain\.targets: unknown target 'xnly'; did you mean 'xnli'\?",
    ),
    "unknown recipe": (set_at("recipes", {"jant": None}), r"unknown recipe 'jant'; did you mean 'jiant'\?"),
    "unknown source": (set_at("source", "miror"), r"source: 'miror' is not possible; did you mean 'mirror'\?"),
    "mixture without tasks": (set_at("mixtures", "new", None), r"mixtures\.new: has no tasks"),
    "mixture with an empty list": (set_at("mixtures", "new", []), r"mixtures\.new: must not be empty"),
    "none with tasks": (set_at("mixtures", "none", ["mnli"]), r"mixtures\.none: 'none' is reserved"),
    "task twice": (set_at("mixtures", "new", ["mnli", "mnli"]), r"'mnli' is given twice"),
    "evaluation task in a mixture": (set_at("mixtures", "new", ["xnli"]), r"'xnli' has no training data"),
    "training task as target": (set_at("targets", "mnli", None), r"targets\.mnli: the task has no evaluation data"),
    "rate 0": (
        set_at("mixtures", "new", [{"task": "mnli", "rate": 0}]),
        r"mixtures\.new\.0\.rate: must be >= 1e-06, found 0",
    ),
    "negative rate": (set_at("mixtures", "new", [{"task": "mnli", "rate": -1}]), r"must be >= 1e-06, found -1"),
    "cap 0": (set_at("mixtures", "new", {"tasks": ["mnli"], "cap": 0}), r"cap: must be >= 1, found 0"),
    "language that a target lacks": (
        set_at("targets", "xquad", {"languages": ["sw"]}),
        r"targets\.xquad\.languages: XQuAD has no 'sw'",
    ),
    "split that a target lacks": (set_at("targets", "xnli", {"split": "tset"}), r"did you mean 'test'\?"),
    "no language left": (
        lambda study: study.update(languages=["sw"], targets={"xquad": None}),
        r"targets\.xquad: none of the languages sw",
    ),
    "path as a name": (set_at("mixtures", "../../etc", ["mnli"]), r"'../../etc' is not"),
    "path as a recipe": (set_at("recipes", "a/b", {}), r"'a/b' is not"),
    "wrong type": (set_at("seeds", "one"), r"seeds: must be a list, such as \[1, 2\], found 'one'"),
    "training data in another language": (
        set_at("mixtures", "new", ["mnli@de"]),
        r"mnli@de \(training data\): mnli/multinli\.train\.de\.tsv: not made up",
    ),
    "second name for a task": (set_at("mixtures", "new", ["mnli", "mnli@en"]), r"write 'mnli' for 'mnli@en'"),
    "limits of an unknown language": (set_at("tasks", {"mnli@zz": {}}), r"tasks: unknown language 'zz'"),
    "number as a name": (
        set_at("tasks", {1: {}}),
        r"study\.yaml:\d+: not valid YAML: key 1 is not text; put it in quotes",
    ),
    "training settings of an evaluation set": (
        set_at("recipes", "quick", "target", "overrides", {"xnli": {"epochs": 9}}),
        r"overrides\.xnli\.epochs: xnli is trained on mnli; set it there",
    ),
    "kept step of one intermediate task": (
        set_at("recipes", "quick", "intermediate", "overrides", {"mnli": {"keep": "best"}}),
        r"intermediate\.overrides\.mnli\.keep: the intermediate phase has one keep for all its tasks",
    ),
    "unknown step to keep": (set_at("recipes", "quick", "target", "keep", "lsat"), r"keep: 'lsat' is not possible"),
    "vectors of a task with a head": (
        set_at("recipes", "quick", "bitext", "overrides", {"lareqa": {"pooling": "cls"}}),
        r"bitext\.overrides\.lareqa: lareqa is not scored by vectors of an untrained model",
    ),
    "vectors of an unknown task": (
        set_at("recipes", "quick", "bitext", "overrides", {"minig": {"pooling": "cls"}}),
        r"bitext\.overrides: unknown form or task 'minig'; did you mean 'mining'\?",
    ),
    "label of an unknown mixture": (
        set_at("figures", {"labels": {"mixtures": {"tree": "Three"}}}),
        r"figures\.labels\.mixtures: unknown mixture 'tree'; did you mean 'three'\?",
    ),
    "label of a language that no target has": (
        set_at("figures", {"labels": {"languages": {"tr": "Turkish"}}}),
        r"figures\.labels\.languages: unknown language 'tr'; known: de, en",
    ),
    "width in another unit": (
        set_at("figures", {"width": "7cm"}),
        r"figures\.width: '7cm' is not of the form column, page or a number of inches",
    ),
    "width of nothing": (
        set_at("figures", {"widths": {"spread": 0}}),
        r"figures\.widths\.spread: must be >= 1, found 0",
    ),
    "unknown figure": (
        set_at("figures", {"only": ["spraed"]}),
        r"figures\.only: unknown figure 'spraed'; did you mean 'spread'\?",
    ),
    "width of an unknown figure": (
        set_at("figures", {"widths": {"spraed": 3}}),
        r"figures\.widths: unknown figure 'spraed'; did you mean 'spread'\?",
    ),
    "palette that does not exist": (
        set_at("figures", {"palette": "vlga"}),
        r"figures\.palette: 'vlga' is no diverging colour map of seaborn or matplotlib; did you mean 'vlag'\?",
    ),
    "palette without a middle": (
        set_at("figures", {"palette": "viridis"}),
        r"figures\.palette: 'viridis' is no diverging colour map of seaborn or matplotlib; known: BrBG, ",
    ),
    "override of an unknown task": (
        set_at("recipes", "quick", "target", "overrides", {"udpso": {"epochs": 1}}),
        r"overrides: unknown form or task 'udpso'; did you mean 'udpos'\?",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_study(tmp_path, name):
    edit, message = BAD[name]
    study = yaml.safe_load(STUDY.read_text())
    edit(study)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    with pytest.raises(UserError, match=message) as error:
        plan_of(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"study\.yaml:2: not valid YAML"),
        ("models: [tiny]\nmodels: [tiny]\n", r"study\.yaml:2: not valid YAML: key 'models' is given twice"),
        ("- a list\n", r"must be keys with values"),
    ],
)
def test_bad_yaml(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        plan_of(path)


def test_folder_as_a_study(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        plan_of(tmp_path)


def test_wrong_encoding(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes("description: é".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8 at byte 13"):
        plan_of(path)


def test_missing_study():
    with pytest.raises(UserError, match="nothing.yaml: no such file"):
        plan_of(Path("nothing.yaml"))
