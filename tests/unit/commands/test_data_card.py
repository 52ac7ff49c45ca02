"""Data cards: rows, labels and lengths of a hand-made mirror, of the made-up data and of the real mirror."""

import json

import pytest
from xstilts import commands

XNLI = ["a b\tc\tentailment", "aa bb\tcc dd ee\tneutral", "x\ty\tcontradiction"]
MNLI = {
    "0": {"text_a": "a", "text_b": "b", "label": "neutral"}, "1": {"text_a": "c", "text_b": "d", "label": "neutral"},
    "2": {"text_a": "e", "text_b": "f", "label": "entailment"}, "3": {"text_a": "g", "text_b": "h", "label": "neutral"},
}  # fmt: skip


@pytest.fixture
def card(tmp_path, monkeypatch, capsys):
    """Return a function that prints a card in a folder with a hand-made mirror, and gives its lines."""
    folder = tmp_path / "mirror"
    for name, text in {"xnli/dev-de.tsv": "\n".join(XNLI) + "\n", "mnli/train.json": json.dumps(MNLI)}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("mirror: mirror\nresults: results\n")
    assert commands.main(["index-mirror", "mirror"]) == 0

    def lines(*arguments: str, expected: int = 0) -> list[str]:
        capsys.readouterr()
        assert commands.main(["data-card", *arguments]) == expected
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return lines


def test_rows_lengths_and_labels_of_evaluation_data(card):
    found = card("xnli")
    # texts "a b c", "aa bb cc dd ee" and "x y": 5, 14 and 3 characters, 3, 5 and 2 words;
    # the 95th percentile lies 9/10 of the way from the second to the third: 5 + 0.9 x 9 = 13.1 and 3 + 0.9 x 2 = 4.8
    assert "dev†‡ de 3 5 13 14 3 5 5" in found
    assert "labels, dev, de: entailment 1, neutral 1, contradiction 1" in found
    assert "files: xnli/dev-de.tsv" in found
    assert "published rows, test: 5,010" in found
    assert "licence: CC BY-NC 4.0" in found
    assert found[0].startswith("# XNLI (`xnli`, version ")


def test_rows_for_early_stopping_are_training_data(card):
    found = card("mnli")
    assert "train‡ en 4 3 3 3 2 2 2" in found
    assert "labels, train, en: entailment 1, neutral 3" in found
    assert not any(line.startswith("dev") for line in found)
    assert any(line.startswith("not in this source: training data in ar, training data in ") for line in found)


def test_a_union_shows_its_members_and_data_that_cannot_be_used_is_said(card, tmp_path):
    anli = "uid,context,statement,gold_label\n1,a b,c,n\n2,d,e,c\n"
    (tmp_path / "mirror/anli").mkdir()
    for number in (1, 2, 3):
        (tmp_path / f"mirror/anli/ANLI_analysis_r{number}_dev.csv").write_text(anli)
    assert commands.main(["index-mirror", "mirror"]) == 0
    found = card("anli_plus")
    assert "mnli train‡ en 4 3 3 3 2 2 2" in found
    assert "labels, anli train, en: neutral 3, contradiction 3" in found
    (tmp_path / "mirror/xnli/dev-de.tsv").write_text("\n".join([*XNLI[:2], "x\ty\t-"]) + "\n")
    said = [line for line in card("xnli") if line.startswith("cannot be used: xnli/dev-de.tsv, row 3: label '-'")]
    assert len(said) == 1
    # once it is indexed again, the card says the same, and what of the other languages
    (tmp_path / "mirror/xnli/dev-en.tsv").write_text("\n".join(XNLI) + "\n")
    assert commands.main(["index-mirror", "mirror"]) == 0
    assert [line for line in card("xnli") if line.startswith("cannot be used: ")] == [
        "cannot be used: xnli/dev-de.tsv, row 3: label '-' is none of entailment, neutral, contradiction; placeholder"
        " labels cannot be trained on or scored"
    ]


def test_training_rows_that_are_test_rows_are_counted(card, tmp_path):
    """Both texts have to be equal: three rows, of which the last one is wrong about its label."""
    (tmp_path / "mirror/pawsx").mkdir()
    train = ["a b\tc d\t1", "a b\tc\t0", "a\tb c\t1", "e\tf\t0", "g\th\t1"]
    for name, rows in {"train-en": train, "test-en": ["g\th\t0", "a b\tc d\t1"], "test-de": ["e\tf\t0"]}.items():
        (tmp_path / f"mirror/pawsx/{name}.tsv").write_text("".join(f"{row}\n" for row in rows))
    assert commands.main(["index-mirror", "mirror"]) == 0
    assert "train en: 3 rows have exactly the texts of an evaluation row" in card("pawsx")
    (tmp_path / "mirror/pawsx/test-en.tsv").write_text("g h\tx\t0\na\tb\t1\n")
    (tmp_path / "mirror/pawsx/test-de.tsv").write_text("e\tf!\t0\n")
    assert commands.main(["index-mirror", "mirror"]) == 0
    assert not any("have exactly the texts" in line for line in card("pawsx"))


def test_made_up_data(card):
    found = card("bucc", "--source", "tiny")
    assert "source: tiny" in found
    rows = [line.split() for line in found if " foreign" in f" {line}"]
    assert {row[2]: row[3] for row in rows} == {"de": "48", "fr": "48", "ru": "48", "zh": "48"}
    commonsense = card("commonsenseqa", "--source", "tiny")
    assert [line.split()[:3] for line in commonsense if line.startswith(("train ", "dev "))] == [
        ["train", "en", "120"],
        ["dev", "en", "40"],
    ]


def test_what_is_not_there_is_said(card, caplog):
    found = card("xnli", "--source", "download")
    assert any(
        line.startswith("xnli.") and line.endswith(": not downloaded yet; a study that uses it downloads it")
        for line in found
    )
    assert not any("characters" in line for line in found)
    card("xnlii", expected=2)
    assert "unknown task 'xnlii'; did you mean 'xnli'?" in caplog.text
    card("udpos", expected=2)
    assert "udpos" in caplog.records[-1].getMessage()
    assert "\n" not in caplog.records[-1].getMessage()


def test_the_real_mirror(card, mirror, tmp_path):
    (tmp_path / "real").mkdir()
    for entry in mirror.iterdir():  # so that no index is written into the folder itself
        if entry.is_dir():
            (tmp_path / "real" / entry.name).symlink_to(entry)
    (tmp_path / "config.yaml").write_text("mirror: real\nresults: results\n")
    assert commands.main(["index-mirror", "real"]) == 0
    found = card("xnli")
    assert "labels, test, en: entailment 1,670, neutral 1,670, contradiction 1,670" in found
    rows = {tuple(line.split()[:2]): line.split()[2] for line in found if line.startswith(("dev†", "test "))}
    assert rows["test", "en"] == rows["test", "sw"] == "5,010"
    assert rows["dev†", "de"] == "2,490"
    assert len(rows) == 13
    queries = [line.split() for line in card("lareqa") if line.startswith("test queries")]
    assert {row[2]: row[3] for row in queries} == dict.fromkeys(["ar", "de", "en", "zh"], "1,190")
