// While a sweep runs: asks this machine's own server for a newer page, and loads it; the reader's place stays.
(() => {
  const state = document.getElementById("live");
  const kept = JSON.parse(sessionStorage.getItem("kept") ?? "null");
  const named = (one) => `${one.closest("[id]")?.id} ${one.querySelector("summary").textContent}`;
  const boxes = () => [...document.querySelectorAll(".filter input")];

  // What the reader had opened and switched off before the page was loaded again.
  if (kept) {
    for (const one of document.querySelectorAll("details")) one.open = kept.open.includes(named(one));
    for (const box of boxes()) box.checked = !kept.off.includes(box.value);
    document.querySelector(".filter")?.dispatchEvent(new Event("change"));
    const anchor = document.getElementById(kept.anchor);
    scrollTo({ top: anchor ? anchor.getBoundingClientRect().top + scrollY - kept.top : kept.y, behavior: "instant" });
  }
  history.scrollRestoration = "manual";
  addEventListener("pagehide", () => {
    const passed = [...document.querySelectorAll("main [id]")].filter((one) => one.getClientRects().length);
    const anchor = passed.filter((one) => one.getBoundingClientRect().top < innerHeight / 3).at(-1);
    const open = [...document.querySelectorAll("details[open]")].map(named);
    const off = boxes().filter((box) => !box.checked).map((box) => box.value);
    const place = { anchor: anchor?.id, top: anchor?.getBoundingClientRect().top, y: scrollY };
    sessionStorage.setItem("kept", JSON.stringify({ open, off, ...place }));
  });

  let failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch(location.pathname, { cache: "no-cache" });
      if (!answer.ok) throw new Error(String(answer.status));
      failures = 0;
      const reading = document.getElementById("large").open || !getSelection().isCollapsed;
      if (answer.headers.get("etag") !== `"${state.dataset.version}"` && !reading) return location.reload();
    } catch {
      failures += 1;
      if (failures === 3) {
        state.textContent = "No longer refreshed: the command that refreshed this page has ended.";
        return;
      }
    }
    setTimeout(ask, 2000);
  };
  if (!("final" in state.dataset)) setTimeout(ask, 2000);
})();
