/* What the pages do beyond links and forms. Everything here is an extra: each page is whole without it.
   Parts: copy buttons, toasts, menus, the search key, ages that tick, live parts. */
(() => {
  "use strict";
  const doc = document, all = (css, root = doc) => root.querySelectorAll(css);

  /* ---- buttons that only work with script are hidden until it runs ---- */
  const show = (root) => all("[data-copy], [data-close]", root).forEach((el) => { el.hidden = false; });

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch (refused) { /* not a secure context */ }
    const box = doc.createElement("textarea");
    box.value = text;
    doc.body.append(box);
    box.select();
    const done = doc.execCommand("copy");
    box.remove();
    return done;
  };

  doc.addEventListener("click", async (event) => {
    const closing = event.target.closest("[data-close]");
    if (closing) { closing.closest(".toast").remove(); return; }
    const button = event.target.closest("[data-copy]");
    if (button) {
      const label = button.querySelector("span") || button, before = label.textContent;
      label.textContent = (await copy(button.dataset.copy)) ? "Copied" : "Select and copy it";
      setTimeout(() => { label.textContent = before; button.focus(); }, 1600);
    }
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  doc.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = doc.querySelector("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
      return;
    }
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = doc.querySelector("main input[type=search]") || doc.getElementById("find");
    if (field && field.offsetParent) { event.preventDefault(); field.focus(); field.select(); }
  });

  /* ---- ages tick along: "40 s ago" ---- */
  const said = (s) => {
    const two = (a, x, b, y) => a + " " + x + (b ? " " + b + " " + y : "");
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
    return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
  };
  const tick = () => all("time[data-ago]").forEach((el) => {
    el.textContent = said(Math.max(0, Math.floor((Date.now() - Date.parse(el.dateTime)) / 1000))) + " ago";
  });

  /* ---- live parts: an event names a topic, the parts that show it ask for themselves again ---- */
  let stream, polling, refused = 0, followed = "";
  const parts = () => [...all("[data-live]")];
  const waiting = new Set();
  const topicsOf = (el) => el.dataset.live.split(" ").map((topic) => topic.split("@")[0]);
  const refresh = (topic) => parts().forEach((el) => {
    if ((topic && !topicsOf(el).includes(topic)) || waiting.has(el.id)) return;
    waiting.add(el.id);
    // Spread out, so that a push does not make every open page ask in the same moment.
    setTimeout(() => {
      waiting.delete(el.id);
      const now = doc.getElementById(el.id);
      if (now) htmx.trigger(now, "live");
    }, 30 + Math.random() * 370);
  });
  const away = (is) => {
    all("[data-away]").forEach((el) => { el.hidden = !is; });
    if (is && !polling) polling = setInterval(() => { if (!doc.hidden) refresh(); }, 30000);
    if (!is && polling) { clearInterval(polling); polling = 0; refresh(); }
  };
  const listen = () => {
    const stamped = parts().flatMap((el) => el.dataset.live.split(" "));  // "project:3@12": what is shown already
    const topics = new Set(parts().flatMap(topicsOf));
    followed = [...topics].sort().join();
    if (!topics.size || !window.EventSource) return;
    stream = new EventSource("/events?topics=" + encodeURIComponent([...new Set(stamped)].join(",")));
    stream.onopen = () => { refused = 0; away(false); };
    stream.onerror = () => {
      away(true);
      if (stream.readyState !== EventSource.CLOSED) return;  // the browser tries again by itself
      setTimeout(listen, Math.min(300, 5 * 2 ** refused++) * 1000 * (0.5 + Math.random()));
    };
    topics.forEach((topic) => stream.addEventListener(topic, () => refresh(topic)));
  };
  /* a part that was swapped may show something else than before */
  const follow = () => {
    if (!stream || [...new Set(parts().flatMap(topicsOf))].sort().join() === followed) return;
    stream.close();
    listen();
  };
  addEventListener("pagehide", () => { if (stream) stream.close(); });

  const start = () => {
    show(doc);
    if (window.Idiomorph) {
      // A part that is swapped keeps what the person opened, and what they are typing.
      Idiomorph.defaults.ignoreActiveValue = true;
      Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
        !(name === "open" && node.tagName === "DETAILS") && !(name === "hidden" && node.dataset && node.dataset.copy);
    }
    doc.addEventListener("htmx:afterSettle", (event) => { show(event.target); tick(); follow(); });
    setInterval(tick, 10000);
    listen();
  };
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", start); else start();
})();
