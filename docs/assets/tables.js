// The theme puts wide tables into boxes that scroll: let the keyboard reach them.
new MutationObserver(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Table");
  }
}).observe(document.documentElement, { childList: true, subtree: true });
