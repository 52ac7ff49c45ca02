"""A page as a reader has it: the tables of an HTML text, with ids, attributes, texts and links."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class PageRow:
    """A row: its id and attributes, and of each cell the text and the addresses of its links."""

    attributes: Mapping[str, str]
    texts: list[str] = field(default_factory=list)
    links: list[list[str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its id; empty for none."""
        return self.attributes.get("id", "")


@dataclass
class PageTable:
    """A table: its header and rows."""

    rows: list[PageRow] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        """The titles of its columns."""
        return self.rows[0].texts

    @property
    def body(self) -> list[PageRow]:
        """The rows below the header."""
        return self.rows[1:]

    def cells(self) -> list[dict[str, str]]:
        """Return the texts of each row by the titles of the columns."""
        return [dict(zip(self.header, row.texts, strict=True)) for row in self.body]


class Page(HTMLParser):
    """The tables of a page by id, all ids, the addresses of all links, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, PageTable] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._grid, self._inside, self._hidden = "", [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
            if self._inside:
                self._inside[-1].links[-1].append(attributes["href"])
        self._hidden += tag in ("script", "style")
        if attributes.get("class") == "grid":
            self._grid = attributes["id"]
        elif tag == "table":
            self.tables[self._grid] = PageTable()
        elif tag == "tr":
            self._inside.append(PageRow(attributes))
            self.tables[self._grid].rows.append(self._inside[-1])
        elif tag in ("th", "td"):
            self._inside[-1].texts.append("")
            self._inside[-1].links.append([])

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")
        if tag == "tr":
            self._inside.pop()

    def handle_data(self, data):
        if not self._hidden:
            self.text += data
            if self._inside and self._inside[-1].texts:
                self._inside[-1].texts[-1] += data
