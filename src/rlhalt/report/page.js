"use strict";
// A few examples stand before the figures; the button shows more.
const FIRST = 3;
const STEP = 20;
const form = document.querySelector(".filters");
const more = document.querySelector(".more button");
const tip = document.getElementById("evidence");
const examples = [...document.querySelectorAll(".example")].map((node) => ({
  node,
  question: node.querySelector("h3").textContent.toLowerCase(),
  answers: [...node.querySelectorAll(".answer")].map((answer) => ({
    node: answer,
    name: answer.dataset.name,
    threshold: answer.dataset.threshold,
    text: answer.querySelector(".response").textContent.toLowerCase(),
    verdicts: answer.dataset.verdicts.split(" "),
  })),
}));
let limit = FIRST;

// What an answer is known for: two answers alike in this do not disagree.
const outcome = (one) => ["incorrect", "halt"].map((verdict) => one.verdicts.includes(verdict)).join();

function show() {
  const threshold = form.threshold ? form.threshold.value : "";
  const model = form.model ? form.model.value : "";
  const wanted = form.text.value.trim().toLowerCase();
  const verdict = form.verdict.value;
  let found = 0;
  for (const { node, question, answers } of examples) {
    const visible = answers.filter(
      (one) => (!threshold || !one.threshold || one.threshold === threshold) && (!model || [model, "base"].includes(one.name)),
    );
    const trained = visible.filter((one) => one.name !== "base");
    const asked = trained.length ? trained : visible;
    const matches =
      (!wanted || question.includes(wanted) || visible.some((one) => one.text.includes(wanted))) &&
      (!verdict || asked.some((one) => one.verdicts.includes(verdict))) &&
      (!form.halted.checked || asked.some((one) => one.verdicts.includes("halt"))) &&
      (!form.disagree.checked || new Set((trained.length > 1 ? trained : visible).map(outcome)).size > 1);
    if (matches) found += 1;
    node.hidden = !matches || found > limit;
    if (!node.hidden) for (const one of answers) one.node.hidden = !visible.includes(one);
  }
  form.querySelector("output").textContent = `${Math.min(found, limit)} of ${found} shown`;
  more.hidden = found <= limit;
}

form.addEventListener("input", () => { limit = FIRST; show(); });
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => { limit += STEP; show(); });

// The boxes of every legend show and hide a model in all figures.
const boxes = [...document.querySelectorAll(".legend input")];
function draw() {
  const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
  for (const part of document.querySelectorAll("[data-model]")) part.classList.toggle("off", hidden.has(part.dataset.model));
}
for (const box of boxes) {
  box.addEventListener("change", () => {
    for (const other of boxes) if (other.value === box.value) other.checked = box.checked;
    draw();
  });
}
draw();

// On a phone a cell stands under the title of its row: it needs that of its column.
for (const table of document.querySelectorAll("table")) {
  const titles = [...table.querySelectorAll("thead th")].map((one) => one.textContent);
  for (const row of table.tBodies[0].rows) {
    for (const cell of row.querySelectorAll("td")) cell.dataset.label = cell.colSpan > 1 ? "" : titles[cell.cellIndex] || "";
  }
  table.classList.add("labelled");
}

// A table of many models is sorted by the column whose title is pressed, and narrowed to some of them.
const MANY = 5;
// The first number of a text; what has none comes last.
const first = (text) => parseFloat((text.replaceAll("−", "-").match(/-?\d[\d.]*/) || [])[0]);
const small = (cell) => (cell.querySelector("small") || { textContent: "" }).textContent;
const large = (cell) => (cell.firstChild ? cell.firstChild.textContent : "");
function sortable(table) {
  const rows = [...table.tBodies[0].rows];
  for (const title of table.querySelectorAll("thead th")) {
    const column = title.cellIndex;
    const text = title.textContent;
    const button = (label, said, read) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = label;
      if (said !== label) made.setAttribute("aria-label", said);
      made.addEventListener("click", () => {
        // From the greatest first; names from the beginning of the alphabet.
        const down = made.dataset.order ? made.dataset.order === "ascending" : column > 0;
        for (const other of table.querySelectorAll("thead button")) delete other.dataset.order;
        for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
        made.dataset.order = down ? "descending" : "ascending";
        title.setAttribute("aria-sort", made.dataset.order);
        const compared = (a, b) => {
          if (!column) return a.cells[0].textContent.localeCompare(b.cells[0].textContent) * (down ? -1 : 1);
          const [x, y] = [a, b].map((row) => first(read(row.cells[column])));
          return Number.isNaN(x) - Number.isNaN(y) || (down ? y - x : x - y) || 0;
        };
        table.tBodies[0].append(...rows.toSorted(compared));
      });
      return made;
    };
    title.replaceChildren(button(text, text, large));
    if (title.dataset.below) title.append(button(title.dataset.below, `${text}, ${title.dataset.below}`, small));
  }
}
const tables = [...document.querySelectorAll("table.models")];
const models = [...document.querySelectorAll("#glance tbody tr")];
if (models.length >= MANY) {
  tables.forEach(sortable);
  const narrow = document.querySelector(".narrow");
  const input = narrow.querySelector("input");
  narrow.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const table of tables) {
      for (const row of table.tBodies[0].rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
    const shown = models.filter((row) => !row.hidden).length;
    narrow.querySelector("output").textContent = wanted ? `${shown} of ${models.length} shown` : "";
  });
}

// One stop of the tab key an answer; the arrows move on inside.
for (const response of document.querySelectorAll(".response")) {
  const first = response.querySelector(".f");
  if (first) first.tabIndex = 0;
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
  const here = document.activeElement;
  if (!here.matches(".response .f") || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const all = [...here.parentElement.querySelectorAll(".f")];
  const next = all[all.indexOf(here) + (event.key === "ArrowRight" ? 1 : -1)];
  if (!next) return;
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  event.preventDefault();
});

function explain(event) {
  const fragment = event.target.closest(".f[data-verdict]");
  if (!fragment) return;
  const verdict = document.createElement("b");
  verdict.textContent = fragment.dataset.verdict;
  tip.replaceChildren(verdict, fragment.dataset.evidence ? `  ${fragment.dataset.evidence}` : "");
  tip.hidden = false;
  fragment.setAttribute("aria-describedby", "evidence");
  const box = fragment.getClientRects()[0];
  const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${Math.max(8, left) + scrollX}px`;
  tip.style.top = `${(above > 0 ? above : fragment.getBoundingClientRect().bottom + 6) + scrollY}px`;
}
function quiet(event) {
  const fragment = event.target.closest(".f[data-verdict]");
  if (!fragment) return;
  fragment.removeAttribute("aria-describedby");
  tip.hidden = true;
}
for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(on, explain);
  document.addEventListener(off, quiet);
}
show();
