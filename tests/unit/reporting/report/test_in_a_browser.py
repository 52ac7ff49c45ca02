"""The page in chromium: it asks for nothing, and is read, sorted and filtered by mouse and keyboard, on any screen."""

import pytest
from xstilts.reporting.figures import empty
from xstilts.store.figures import FIGURES

from tests.builders.browser import CHROMIUM, tab
from tests.builders.reported import reported

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium; apt-get install chromium")
SVG = '<?xml version="1.0"?><svg width="700pt" height="200pt" viewBox="0 0 700 200"><g id="a"><text>a</text></g></svg>'
# the texts of a column of the rows that are shown
TEXTS = (
    "[...document.querySelector('#{} table').tBodies[0].rows].filter(row => !row.hidden)"
    ".map(row => row.cells[{}].textContent)"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    figures = dict.fromkeys(FIGURES, SVG) | {"layer_sweep": SVG.replace('id="a"', f'id="{empty.ID}"')}
    study = reported(tmp_path_factory.mktemp("study"), languages=40, rows=3, figures=figures)
    return study.folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def choose(browser, axis, value):
    browser.value(
        f"form.elements.{axis}.value = {value!r}; form.dispatchEvent(new Event('input', {{bubbles: true}})); 0"
    )


def test_it_asks_for_nothing_and_nothing_fails(browser, path):
    browser.go(path)
    requests = [request["request"]["url"] for request in browser.named("Network.requestWillBeSent")]
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert not browser.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(browser, path, width, scheme):
    browser.go(path, width, scheme)
    assert browser.value("innerWidth") == width
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.querySelector('#scores-by-language .scroll').scrollWidth") > width / 2


def test_a_phone_shows_what_matters_without_scrolling_aside(browser, path):
    browser.go(path, 390)
    for name in ("answer", "contrasts", "claims-judged", "claims-compared"):
        head = f"[...document.querySelectorAll('#{name} thead th')].find(head => head.textContent == 'verdict')"
        assert browser.value(f"{head}.getBoundingClientRect().right") <= 390, name
    boxes = "[...document.querySelectorAll('.scroll')]"
    assert browser.value(f"{boxes}.every(box => getComputedStyle(box).maxHeight == 'none')")
    assert browser.value("[...document.querySelectorAll('.card')].every(card => card.scrollWidth <= card.clientWidth)")


def test_the_first_paragraph_is_several(browser, path):
    browser.go(path)
    words = browser.value(
        "[...document.querySelectorAll('#paragraph p')].map(part => part.innerText.split(/\\s+/).length)"
    )
    assert len(words) > 2 and max(words) < 120


def test_schemes_differ(browser, path):
    colours = []
    for scheme in ("light", "dark"):
        browser.go(path, scheme=scheme)
        colours.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


def test_keys_sort_numbers_up_and_down_and_back(browser, path):
    browser.go(path)
    head = "document.querySelector('#gains table').tHead.rows[0].cells"
    column = browser.value(f"[...{head}].findIndex(head => head.textContent.startsWith('difference'))")
    rows = TEXTS.format("gains", column)
    before = browser.value(rows)
    browser.value(f"{head}[{column}].querySelector('button').focus()")
    for key, state, expected in (
        ("Enter", "ascending", sorted(before, key=float)),
        (" ", "descending", sorted(before, key=float, reverse=True)),
        ("Enter", None, before),
    ):
        browser.press(key)
        assert browser.value(f"{head}[{column}].getAttribute('aria-sort')") == state
        assert [float(text) for text in browser.value(rows)] == [float(text) for text in expected]


def test_filter_keeps_the_rows_and_columns_that_are_about_it(browser, path):
    browser.go(path)
    all_rows = browser.value(TEXTS.format("main", 0))
    choose(browser, "mixture", "nine")
    assert set(browser.value(TEXTS.format("main", 0))) == {"nine"} and "mnli" in all_rows
    choose(browser, "language", "q003")
    shown = "[...document.querySelector('#scores-by-language table').tHead.rows[0].cells].filter(head => !head.hidden)"
    titles = browser.value(f"{shown}.map(head => head.textContent)")
    assert "q003" in titles and "q004" not in titles and "mixture" in titles
    assert " of " in browser.value("form.elements.shown.value")
    choose(browser, "words", "no such word")
    assert browser.value("document.querySelectorAll('.none').length") > 1
    browser.value("form.reset(); new Promise(resolve => setTimeout(resolve, 50))")
    assert browser.value(TEXTS.format("main", 0)) == all_rows
    assert browser.value("form.elements.shown.value") == ""


def test_link_to_a_row_that_is_filtered_out_shows_it(browser, path):
    browser.go(path)
    choose(browser, "mixture", "mnli")
    row = "document.getElementById('estimate-1')"
    browser.value("form.elements.words.value = 'no such word'; filter()")
    assert browser.value(f"{row}.hidden")
    browser.value("document.querySelector('#paragraph a').click(); new Promise(resolve => setTimeout(resolve, 100))")
    assert not browser.value(f"{row}.hidden")


def test_paper_has_all_rows_and_no_filter(browser, path):
    browser.go(path)
    choose(browser, "mixture", "nine")
    browser.command("Emulation.setEmulatedMedia", media="print")
    displays = "[...document.querySelectorAll('#main tbody tr')].map(row => getComputedStyle(row).display)"
    assert set(browser.value(displays)) == {"table-row"}
    assert browser.value("getComputedStyle(document.getElementById('filter')).display") == "none"
    browser.command("Emulation.setEmulatedMedia", media="")


def test_first_tab_leads_past_the_contents(browser, path):
    browser.go(path)
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "content"
