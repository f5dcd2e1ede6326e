/* The merge-back matrix with its evidence drawer. Without script, or where the drawer has no room beside the table,
   a cell is a plain link to the same evidence on its own page. */
(() => {
  "use strict";
  const doc = document, room = matchMedia("(min-width: 75.01rem)");
  const drawer = () => doc.getElementById("drawer");
  const page = () => doc.querySelector(".mx-page");

  /* "<fix>:<branch>" out of the address of the evidence: …/fixes/<fix>/in/<branch>/ */
  const cellOf = (link) => {
    const found = link.pathname.match(/\/fixes\/([0-9a-f]+)\/in\/(.+)\/$/);
    return found ? found[1] + ":" + decodeURIComponent(found[2]) : "";
  };
  const asked = () => new URL(location.href).searchParams.get("cell") || "";
  const linkTo = (cell) => [...doc.querySelectorAll("#matrix a.mx-c")].find((link) => cellOf(link) === cell);

  const mark = (cell) => doc.querySelectorAll("#matrix a.mx-c").forEach((link) => {
    const is = Boolean(cell) && cellOf(link) === cell;
    link.classList.toggle("is-open", is);
    if (is) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  });

  const remember = (cell) => {
    const url = new URL(location.href);
    if (cell) url.searchParams.set("cell", cell); else url.searchParams.delete("cell");
    history.pushState({ cell }, "", url);
  };

  const open = (link, push) => {
    const cell = cellOf(link);
    mark(cell);
    htmx.ajax("GET", link.getAttribute("href"), { target: "#drawer", swap: "outerHTML" }).then(() => {
      const now = drawer();
      if (!now || now.dataset.cell !== cell) { location.assign(link.href); return; }
      if (push) remember(cell);
      const title = doc.getElementById("dr-t");
      if (title) title.focus({ preventScroll: true });
      now.scrollTop = 0;
    });
  };

  const close = (push) => {
    const now = drawer();
    if (!now || now.hidden) return;
    const cell = now.dataset.cell, empty = doc.createElement("div");
    empty.id = "drawer";
    empty.hidden = true;
    now.replaceWith(empty);
    mark("");
    if (push) remember("");
    const link = linkTo(cell);
    if (link) link.focus();
  };

  doc.addEventListener("click", (event) => {
    if (!page() || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("#matrix a.mx-c");
    if (link && room.matches && window.htmx) { event.preventDefault(); open(link, true); return; }
    if (event.target.closest("[data-drawer-close]") && drawer()) { event.preventDefault(); close(true); }
  });

  doc.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !page() || doc.querySelector("details.menu[open]")) return;
    close(true);
  });

  addEventListener("popstate", () => {
    if (!page()) return;
    const cell = asked(), link = cell && linkTo(cell);
    if (link && room.matches) open(link, false); else if (cell) location.reload(); else close(false);
  });

  /* the table was drawn anew: the open cell stays marked */
  doc.addEventListener("htmx:afterSwap", (event) => {
    const now = drawer();
    if (event.target.id === "matrix" && now && now.dataset.cell) mark(now.dataset.cell);
  });

  /* a choice in the filters acts at once */
  doc.addEventListener("change", (event) => {
    if (event.target.matches(".mx-find select") && event.target.form) event.target.form.requestSubmit();
  });
})();
