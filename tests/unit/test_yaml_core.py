"""YAML: values are those of YAML 1.2's core schema, and what has no end is refused in one line."""

import math
import time

import pytest
from xstilts import schema, yaml_core
from xstilts.errors import UserError

CORE = {
    # whole numbers: YAML 1.1 has 8, 90 and 1000 for the first, the second and the fourth
    "010": 10, "1:30": "1:30", "0o10": 8, "1_000": "1_000", "0x1F": 31, "0b11": "0b11", "+1": 1, "-0": 0,
    "1e5": 1e5, "1e-5": 1e-5, "1.0e-5": 1e-5, "1E3": 1e3, ".5": 0.5, "5.": 5.0, "7e9f": "7e9f", ".": ".",
    "-.inf": -math.inf,
    # Norwegian is a language
    "no": "no", "yes": "yes", "on": "on", "off": "off", "y": "y", "true": True, "False": False, "tRUE": "tRUE",
    "~": None, "null": None, "": None, "nUll": "nUll",
    "2026-11-30": "2026-11-30", "=": "=", "'010'": "010", '"1"': "1", "|\n  1": "1",
}  # fmt: skip


@pytest.mark.parametrize("text", CORE)
def test_a_scalar_is_what_the_core_schema_says(text):
    (value,) = yaml_core.load(f"[{text}]" if "\n" not in text else f"- {text}") if text else [yaml_core.load("- \n")[0]]
    assert (type(value), value) == (type(CORE[text]), CORE[text])


def test_documents():
    assert yaml_core.load("") is None
    assert yaml_core.load("# nothing\n") is None
    assert yaml_core.load("a: &rows {n: 1}\nb: *rows\n<<: text\n") == {"a": {"n": 1}, "b": {"n": 1}, "<<": "text"}
    assert math.isnan(yaml_core.load(".nan"))


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["x"] * width) + "]"]
    lines += [f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * width) + "]" for level in range(1, levels)]
    return "\n".join(lines) + "\n"


REFUSED = {
    "aliases of aliases": (bomb(9, 9), r":5: not valid YAML: its aliases stand for more than 10000 values"),
    "aliases of long lists": (bomb(2, 120), r":2: .*its aliases stand for more than 10000 values; write them out"),
    "a list in itself": ("a: &a [*a]\n", r":1: .*\*a has no anchor before it|:1: .*undefined alias"),
    "lists in lists": ("a: " + "[" * 100_000, r"more than 50 lists and mappings inside each other"),
    "keys in keys": ("\n".join(" " * depth + "a:" for depth in range(3000)), r":51: .*more than 50 lists"),
    "a number without end": (f"a: {'9' * 5000}\n", r":1: .*a number of 5000 characters, at most 40; is it text\?"),
    "a fraction without end": (f"a: 0.{'3' * 5000}\n", r"a number of 5002 characters"),
    "code": ("a: !!python/object/apply:os.system [x]\n", r"the tag tag:yaml.org,2002:python/object/apply:os.system"),
    "a stated type": ("a: !!int 'x'\n", r"the tag tag:yaml.org,2002:int is not read; write the value alone"),
    "two documents": ("a: 1\n---\nb: 2\n", r":2: .*a second document begins here"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", r":3: .*key 'a' is given twice"),
    "a key that is no text": ("a: {1: x}\n", r":1: .*key 1 is not text; put it in quotes"),
    "a key that is a list": ("? [a, b]\n: x\n", r"key \['a', 'b'\] is not text"),
    "a control character": ("a: \x07\n", r"not valid YAML: .*control characters|special characters"),
    "no YAML": ("a: [", r":2: not valid YAML: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_in_one_line_and_at_once(case, tmp_path):
    text, message = REFUSED[case]
    path = tmp_path / "study.yaml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(UserError, match=message) as error:
        schema.read_yaml(path)
    assert time.process_time() - started < 1
    assert str(error.value).startswith(str(path)) and len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 300
