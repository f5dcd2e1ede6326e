/* Pages that are the same for everybody keep the chosen theme in the browser. Runs before the page is drawn. */
(() => {
  "use strict";
  const root = document.documentElement;
  let kept = "";
  try { kept = localStorage.getItem("theme") || ""; } catch (refused) { /* no storage: the system's theme */ }
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-toggle-theme]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch (refused) { /* for this page only */ }
    });
  }));
})();
