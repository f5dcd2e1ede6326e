/* Questions as dialogs. A link with data-dialog leads to a page that asks before something is done; where script runs
   the same form opens over the page, which keeps its scroll and gets its focus back. */
(() => {
  "use strict";
  const doc = document;
  let opener = null;
  const box = () => doc.getElementById("ask");

  const open = (link) => {
    opener = link.id || link.getAttribute("href");
    htmx.ajax("GET", link.href, { target: "#dialog", swap: "innerHTML" }).then(() => {
      if (!doc.querySelector("#dialog > *")) { location.assign(link.href); return; }
      box().setAttribute("aria-labelledby", "ask-t");
      if (!box().open) box().showModal();
      const first = doc.querySelector("#dialog input:not([type=hidden]), #dialog textarea, #dialog select")
        || doc.querySelector("#dialog h2");
      if (first) first.focus();
    }, () => location.assign(link.href));
  };

  doc.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[data-dialog]");
    if (link && window.htmx && box()) { event.preventDefault(); open(link); return; }
    if (event.target.closest("[data-dialog-close]") && box() && box().open) { event.preventDefault(); box().close(); }
  });

  /* where the focus goes back to: the button that asked, else the panel that says what is next */
  const focusBack = () => {
    const found = [...doc.querySelectorAll("a[data-dialog]")].find((el) => el.id === opener || el.getAttribute("href") === opener);
    const next = found || doc.querySelector("[data-focus-back]") || doc.querySelector("h1");
    if (next) { if (!next.hasAttribute("href")) next.tabIndex = -1; next.focus({ preventScroll: true }); }
  };

  /* an answer that cannot be taken (409, 422, 403) is shown in the dialog too */
  doc.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "dialog" && [409, 422].includes(event.detail.xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
    if (event.detail.target.id === "dialog" && [403, 404].includes(event.detail.xhr.status)) location.reload();
  });
  /* a field that somebody made larger carries a style of its own. htmx would write that anew, which the page's policy
     forbids: the size is taken off before, and given back afterwards */
  let sizes = [];
  doc.addEventListener("htmx:beforeSwap", (event) => {
    sizes = [...event.detail.target.querySelectorAll("textarea[id][style]")].map((el) => [el.id, el.style.cssText]);
    sizes.forEach(([id]) => doc.getElementById(id).removeAttribute("style"));
  });
  doc.addEventListener("htmx:afterSettle", () => {
    sizes.forEach(([id, text]) => { if (doc.getElementById(id)) doc.getElementById(id).style.cssText = text; });
    sizes = [];
  });
  doc.addEventListener("answered", () => {
    if (box().open) box().close();
    doc.querySelectorAll("[data-live]").forEach((el) => htmx.trigger(el, "live"));
  });

  /* what was answered is said for a while, and does not stay in the way of what is below */
  const fade = () => setTimeout(() => {
    doc.querySelectorAll(".toast[data-brief]").forEach((el) => {
      if (el.matches(":hover") || el.contains(doc.activeElement)) fade(); else el.remove();
    });
  }, 8000);
  doc.addEventListener("answered", fade);
  if (doc.querySelector(".toast[data-brief]")) fade();

  /* what somebody has begun to fill in stays as it is while the page around it changes */
  const begun = (form) => [...form.elements].some((el) =>
    (el.type === "checkbox" || el.type === "radio") ? el.checked !== el.defaultChecked
      : el.tagName === "SELECT" ? [...el.options].some((option) => option.selected !== option.defaultSelected && option.value)
        : "defaultValue" in el && el.type !== "hidden" && el.value !== el.defaultValue);
  const start = () => {
    if (box()) box().addEventListener("close", () => { doc.getElementById("dialog").replaceChildren(); focusBack(); });
    if (window.Idiomorph) {
      Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => {
        if (!old.matches) return true;
        // Of the focused element only attributes would be renewed: a button must not say one thing and do another.
        if (old === doc.activeElement && old.matches("a, button, summary") && fresh.cloneNode) {
          old.replaceChildren(...fresh.cloneNode(true).childNodes);
        }
        // What looks after itself (a log that grows) is left alone.
        return !(old.matches("[data-own]") && old.id === fresh.id) && !(old.matches("form[data-keep]") && begun(old));
      };
    }
    /* a part that was drawn anew lost the element that had the focus */
    doc.addEventListener("htmx:afterSettle", (event) => {
      if (event.target.matches("[data-live]") && doc.activeElement === doc.body && opener && !box().open) focusBack();
    });
  };
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", start); else start();
})();
