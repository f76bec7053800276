// The page is whole without this: it adds sorting, a filter and quicker tooltips.

// Sorting: each heading becomes a button; numbers go from the highest, words from A.
for (const table of document.querySelectorAll("table[data-sort]")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes); // the name, which a heat map sets upright
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const up = before ? before === "descending" : !heading.classList.contains("number");
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => compare(a.cells[column], b.cells[column], up));
      body.append(...rows);
    });
  });
}

function compare(a, b, up) {
  const [x, y] = [a, b].map((cell) => ("value" in cell.dataset ? Number(cell.dataset.value) : null));
  const [s, t] = [a, b].map((cell) => cell.textContent.trim());
  if (x !== null && y !== null) return up ? x - y : y - x;
  if (x !== null || y !== null) return x === null ? 1 : -1; // what has no value stays at the end
  if (!s || !t) return s ? -1 : t ? 1 : 0;
  return (up ? 1 : -1) * s.localeCompare(t, undefined, { numeric: true });
}

// Filter: an architecture that is switched off leaves tables, charts and pictures.
const filter = document.querySelector(".filter");
if (filter) {
  document.querySelector(".filters").hidden = false;
  filter.addEventListener("change", () => {
    const off = new Set([...filter.querySelectorAll("input:not(:checked)")].map((box) => box.value));
    for (const one of document.querySelectorAll("[data-architecture]")) {
      one.classList.toggle("off", off.has(one.dataset.architecture));
    }
  });
}

// Tooltips at once instead of after the browser's pause.
const tip = document.getElementById("tip");
document.addEventListener("pointerover", (event) => {
  const title = event.target.closest ? event.target.closest("svg.chart :has(> title)")?.querySelector("title") : null;
  tip.hidden = !title;
  if (!title) return;
  tip.textContent = title.textContent;
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 12, 4)}px`;
});

// Paper shows what is folded on the screen.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
