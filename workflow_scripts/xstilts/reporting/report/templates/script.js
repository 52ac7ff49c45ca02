"use strict";
// Tables can be sorted by every column, and filtered together by what rows and columns are about.
const AXES = ["model", "mixture", "target", "language"];
const MISSING = ["", "–"];
const form = document.getElementById("filter");
const collator = new Intl.Collator("en", { numeric: true });
const textOf = (row, column) => row.cells[column].textContent.trim();
const number = (text) => parseFloat(text.replace(/,/g, ""));

function sort(table, column, original) {
  const head = table.tHead.rows[0].cells[column];
  const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] ?? "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  let rows = original;
  if (next !== "none") {
    head.setAttribute("aria-sort", next);
    const texts = new Map(original.map((row) => [row, textOf(row, column)]));
    const there = original.filter((row) => !MISSING.includes(texts.get(row)));
    const numeric = there.every((row) => /^[+-]?\d/.test(texts.get(row)));
    const compare = numeric ? (a, b) => number(a) - number(b) : collator.compare;
    const sign = next === "ascending" ? 1 : -1;
    there.sort((a, b) => sign * compare(texts.get(a), texts.get(b)));
    rows = [...there, ...original.filter((row) => MISSING.includes(texts.get(row)))];
  }
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table")) {
  const original = [...table.tBodies[0].rows];
  if (original.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, column, original));
    head.append(button);
  });
}

function filter() {
  const chosen = AXES.map((axis) => [axis, form.elements[axis]?.value]).filter(([, value]) => value);
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const isAbout = ({ dataset }) => chosen.every(([axis, value]) => !(axis in dataset) || dataset[axis].split(" ").includes(value));
  let shown = 0, all = 0;
  for (const table of document.querySelectorAll("table.filtered")) {
    const hidden = [...table.tHead.rows[0].cells].map((head) => (head.hidden = !isAbout(head)));
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      row.hidden = !isAbout(row) || !words.every((word) => row.textContent.toLowerCase().includes(word));
      hidden.forEach((isHidden, column) => row.cells[column].hidden !== isHidden && (row.cells[column].hidden = isHidden));
    }
    const left = rows.filter((row) => !row.hidden).length;
    table.parentElement.querySelector(".none")?.remove();
    if (!left) table.insertAdjacentHTML("afterend", '<p class="none">No row of this table is about that.</p>');
    shown += left;
    all += rows.length;
  }
  form.elements.shown.value = shown === all ? "" : `${shown} of ${all} rows`;
}

// a link leads to its row, whatever is hidden
function reveal() {
  const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!row) return;
  if (row.closest("[hidden]")) form.reset(), filter();
  row.closest("details")?.setAttribute("open", "");
  row.scrollIntoView({ block: "center" });
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", reveal);
filter();
reveal();
