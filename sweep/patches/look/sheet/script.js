// The page is whole without this: it adds a filter.
const cards = [...document.querySelectorAll(".card")];
const filter = document.getElementById("filter");
const count = document.getElementById("count");

function show() {
  const chosen = [...filter.querySelectorAll("select")].filter((one) => one.value);
  const fits = (card) =>
    chosen.every(({ name, value }) => (name === "kinds" ? card.dataset.kinds.includes(value) : card.dataset[name] === value));
  for (const card of cards) card.classList.toggle("off", !fits(card));
  for (const section of document.querySelectorAll("section")) {
    section.classList.toggle("off", !section.querySelector(".card:not(.off)"));
  }
  count.textContent = `${cards.filter((card) => !card.classList.contains("off")).length} of ${cards.length} shown`;
}

filter.hidden = !filter.querySelector("select");
filter.addEventListener("change", show);
show();
