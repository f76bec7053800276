
// Labels are kept in this browser until they are saved as a file; what the file held when the page was made is checked.
const points = [...document.querySelectorAll(".point")];
const key = document.body.dataset.key;
const progress = document.getElementById("progress");
const saved = (() => {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}");
  } catch {
    return {};
  }
})();

const labelOf = (point) => point.querySelector("input:checked")?.value ?? "";

function keep() {
  const labels = {};
  for (const point of points) if (labelOf(point)) labels[point.dataset.id] = labelOf(point);
  try {
    localStorage.setItem(key, JSON.stringify(labels));
  } catch {
    document.getElementById("kept").textContent = "This browser keeps nothing: save before you close the page.";
  }
  for (const point of points) point.classList.toggle("done", Boolean(labels[point.dataset.id]));
  progress.textContent = `${Object.keys(labels).length} of ${points.length} labelled`;
}

for (const point of points) {
  const label = saved[point.dataset.id];
  const input = [...point.querySelectorAll("input")].find((one) => one.value === label);
  if (input) input.checked = true;
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

document.getElementById("save").addEventListener("click", () => {
  const lines = points.map((point) => [point.dataset.id, quoted(labelOf(point)), point.dataset.column, point.dataset.row].join(","));
  const file = new Blob([["id,label,pixel_column,pixel_row", ...lines, ""].join("\n")], { type: "text/csv" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = document.body.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

document.getElementById("left").addEventListener("change", (event) => document.body.classList.toggle("left", event.target.checked));
document.addEventListener("change", keep);
document.addEventListener("keydown", (event) => {
  const point = document.activeElement?.closest(".point");
  if (!point || event.ctrlKey || event.metaKey || event.altKey) return;
  const inputs = [...point.querySelectorAll("input")];
  const place = event.key === "0" ? inputs.length - 1 : Number.parseInt(event.key, 10) - 1;
  if (!inputs[place]) return;
  event.preventDefault();
  inputs[place].checked = true;
  keep();
  const next = points[points.indexOf(point) + 1];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
});
keep();
