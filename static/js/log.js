/* The log of a run: new lines are asked for by number, the end is followed while somebody looks at it, and a line's
   address leads to it. Without script the page shows the same lines, newer ones when it is opened again. */
(() => {
  "use strict";
  const doc = document, MOST = 4000, PAUSE = 800, NEAR = 48;
  const logs = () => [...doc.querySelectorAll("ol.log[data-log]")];
  const state = new WeakMap();
  const of = (log) => { if (!state.has(log)) state.set(log, { busy: false, again: false, timer: 0, next: 0 }); return state.get(log); };
  const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  const button = (log) => log.closest(".log-w").querySelector("[data-log-end]");
  const toEnd = (log) => { log.scrollTop = log.scrollHeight; };
  const show = (log) => {
    const end = button(log);
    if (end) end.hidden = atEnd(log) || !log.hasAttribute("data-live");
  };

  /* One question at a time, and at most about one in a second, however often the news comes. */
  const more = (log) => {
    const its = of(log), now = Date.now();
    if (its.busy || its.timer) { its.again = true; return; }
    if (now < its.next) {
      its.timer = setTimeout(() => { its.timer = 0; more(log); }, its.next - now);
      return;
    }
    its.busy = true;
    its.again = false;
    its.next = now + PAUSE;
    ask(log).catch(() => { setTimeout(() => more(log), 3000); }).then(() => { its.busy = false; if (its.again) more(log); });
  };

  const ask = async (log) => {
    const answer = await fetch(log.dataset.log + "?after=" + log.dataset.last, { headers: { "HX-Request": "true" } });
    if (answer.status >= 500) throw new Error("not now");
    if (answer.status !== 200 || answer.redirected) return;
    const last = answer.headers.get("X-Log-Last"), html = await answer.text();
    if (!last || Number(last) <= Number(log.dataset.last)) return;
    const follow = atEnd(log), empty = log.closest(".log-w").querySelector("[data-log-empty]");
    htmx.swap(log, html, { swapStyle: "beforeend" });
    log.dataset.last = last;
    if (empty) empty.remove();
    if (follow) {
      const over = log.children.length - MOST;
      for (let i = 0; i < over; i += 1) log.firstElementChild.remove();
      toEnd(log);
    }
    show(log);
  };

  /* "#L12" that is not on the page: the part of the log that holds it. */
  const mark = () => {
    doc.querySelectorAll(".log .is-at").forEach((row) => row.classList.remove("is-at"));
    const found = location.hash.match(/^#L(\d{1,9})$/);
    if (!found) return false;
    const row = doc.getElementById("L" + found[1]), log = logs()[0];
    if (row) {
      row.classList.add("is-at");
      const its = row.closest(".log");
      its.scrollTop += row.getBoundingClientRect().top - its.getBoundingClientRect().top - its.clientHeight / 3;
      return true;
    }
    if (log && !new URLSearchParams(location.search).has("line") && Number(found[1]) <= Number(log.dataset.last)) {
      location.replace(log.dataset.page + "?line=" + found[1] + location.hash);
    }
    return false;
  };

  /* taken on the way down, so that the part of the page around the log does not take it for its own */
  doc.addEventListener("live", (event) => {
    if (!event.target.matches("ol.log[data-log]")) return;
    event.stopPropagation();
    more(event.target);
  }, true);
  doc.addEventListener("click", (event) => {
    const end = event.target.closest("[data-log-end]");
    if (end) {
      const log = end.closest(".log-w").querySelector("ol.log[data-log]");
      toEnd(log);
      end.hidden = true;
      log.focus();
      return;
    }
    /* a step whose first line is on the page is scrolled to; others are a page away */
    const step = event.target.closest("a[data-line]");
    if (step && !event.metaKey && !event.ctrlKey && !event.shiftKey && doc.getElementById("L" + step.dataset.line)) {
      event.preventDefault();
      location.hash = "#L" + step.dataset.line;
      mark();
    }
  });
  addEventListener("hashchange", mark);

  const lasted = (s) => (s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " m " + String(s % 60).padStart(2, "0") + " s" : "");
  const tick = () => doc.querySelectorAll("time[data-lasts]").forEach((el) => {
    const text = lasted(Math.max(0, Math.round((Date.now() - Date.parse(el.dateTime)) / 1000)));
    if (text) el.textContent = text;
  });

  const begin = (log) => {
    of(log);
    log.addEventListener("scroll", () => show(log), { passive: true });
    if (log.hasAttribute("data-end")) toEnd(log);
  };

  const start = () => {
    logs().forEach(begin);
    mark();
    /* another run took the place of the one that was shown: its lines are asked for */
    doc.addEventListener("htmx:afterSettle", () => logs().forEach((log) => { if (!state.has(log)) { begin(log); more(log); } }));
    logs().forEach(show);
    setInterval(tick, 1000);
  };
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", start); else start();
})();
