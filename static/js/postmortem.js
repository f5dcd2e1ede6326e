/* Writing a post-mortem: every part saves itself, and no word is lost. What is typed stands in this browser until the
   server has it; what two people write at once comes back as both. Without script the Save buttons do the same. */
(() => {
  "use strict";
  const doc = document, PAUSE = 1200, TELL = 20000, KEPT_DAYS = 30;
  const root = () => doc.getElementById("postmortem");
  const forms = () => [...doc.querySelectorAll("form.pm-f")];
  const field = (form) => form.querySelector("textarea");
  const base = (form) => form.querySelector("[name=base]");
  const dirty = (form) => field(form).value !== field(form).defaultValue;
  const timers = new Map(), sent = new Map(), failed = new Map();

  /* ---- what is typed is kept in this browser until it is saved ---- */
  const name = (form) => "pm:" + root().dataset.person + ":" + root().dataset.key + ":" + form.dataset.part;
  const keep = (form) => {
    try {
      localStorage.setItem(name(form), JSON.stringify({ text: field(form).value, base: base(form).value, at: Date.now() }));
      return true;
    } catch (full) { return false; }
  };
  const forget = (form) => { try { localStorage.removeItem(name(form)); } catch (away) { /* nothing was kept */ } };
  const kept = (form) => {
    try {
      const found = JSON.parse(localStorage.getItem(name(form)) || "null");
      return found && Date.now() - found.at < KEPT_DAYS * 86400000 ? found : null;
    } catch (away) { return null; }
  };

  /* ---- how it stands, in words beside the field ---- */
  const say = (form, text, tone) => {
    const place = form.querySelector("[data-saved]");
    if (!place) return;
    place.className = "pm-saved" + (tone ? " " + tone : "");
    place.textContent = text;
  };
  const safe = (form, why) => say(form, why + (kept(form) ? " Your text is kept in this browser." : ""), "warn");

  const save = (form) => {
    clearTimeout(timers.get(form));
    timers.delete(form);
    if (sent.has(form) || !dirty(form) || !window.htmx) return;
    htmx.trigger(form, "pm-save");
  };
  const soon = (form, wait) => {
    clearTimeout(timers.get(form));
    timers.set(form, setTimeout(() => save(form), wait));
  };
  const again = (form) => {
    const times = (failed.get(form) || 0) + 1;
    failed.set(form, times);
    soon(form, Math.min(30000, 2000 * 2 ** (times - 1)) * (0.8 + 0.4 * Math.random()));
  };

  doc.addEventListener("input", (event) => {
    const form = event.target.closest("form.pm-f");
    if (!form || event.target !== field(form)) return;
    const there = keep(form);
    if (!failed.has(form)) say(form, there ? "Not saved yet; kept in this browser" : "Not saved yet");
    soon(form, failed.has(form) ? 4000 : PAUSE);
  });
  doc.addEventListener("focusout", (event) => {
    const form = event.target.closest && event.target.closest("form.pm-f");
    if (form && event.target === field(form) && !failed.has(form)) soon(form, 60);
  });
  addEventListener("online", () => forms().forEach((form) => { if (dirty(form)) soon(form, 100); }));
  /* the page goes: one last try, and this browser keeps it in any case */
  const leave = () => forms().forEach((form) => {
    if (!dirty(form)) return;
    keep(form);
    const data = new FormData(form);
    data.set("by-itself", "1");
    fetch(form.action, { method: "POST", body: data, keepalive: true, headers: { "HX-Request": "true" } }).catch(() => {});
  });

  /* ---- sending ---- */
  doc.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.elt, cause = event.detail.triggeringEvent;
    if (form.matches("form.pm-f") && cause && cause.type === "pm-save") event.detail.parameters["by-itself"] = "1";
  });
  doc.addEventListener("htmx:beforeSend", (event) => {
    const form = event.detail.elt;
    if (!form.matches("form.pm-f")) return;
    sent.set(form, field(form).value);
    say(form, "Saving…");
  });
  doc.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (!event.detail.target.matches(".pm-a")) return;
    if (event.detail.xhr.responseURL.includes("/accounts/login")) { event.detail.shouldSwap = false; return; }
    if (status === 409 || status === 422) { event.detail.shouldSwap = true; event.detail.isError = false; }
  });
  doc.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt, xhr = event.detail.xhr;
    if (!form.matches("form.pm-f")) return;
    const text = sent.get(form), area = field(form), status = xhr ? xhr.status : 0;
    sent.delete(form);
    const given = form.querySelector("[data-text]");
    if (status === 200 || status === 409) {
      failed.delete(form);
      // Of two texts the server keeps this one as a draft: it is as safe there as a saved one.
      if (given) { area.value = area.defaultValue = given.value; given.remove(); } else { area.defaultValue = text; }
      if (dirty(form)) { keep(form); soon(form, PAUSE); } else { forget(form); }
      if (doc.activeElement === doc.body) area.focus({ preventScroll: true });
      ready();
    } else if (status === 422) {
      ready();
      safe(form, "Not saved.");
    } else if (status === 401 || status === 403) {
      failed.set(form, 1);
      safe(form, status === 401 ? "You are signed out: sign in again in another tab, then reload this page." : "Reload this page to go on saving.");
    } else {
      safe(form, status ? "The server did not take it. Trying again." : "No connection. Trying again.");
      again(form);
    }
  });

  /* ---- what others save comes in; what somebody is typing here stays ---- */
  const adopt = (form, fresh) => {
    const area = field(form), text = field(fresh).value, theirs = Number(base(fresh).value), mine = Number(base(form).value);
    if (dirty(form) || sent.has(form) || theirs < mine) return;
    if (area.value !== text) {
      const [start, end] = [area.selectionStart, area.selectionEnd], focused = doc.activeElement === area;
      area.value = area.defaultValue = text;
      if (focused) area.setSelectionRange(Math.min(start, text.length), Math.min(end, text.length));
    }
    const now = form.querySelector(".pm-a"), next = fresh.querySelector(".pm-a");
    if (!now.contains(doc.activeElement)) { now.replaceWith(next.cloneNode(true)); ready(); }
  };
  const watch = () => {
    const before = Idiomorph.defaults.callbacks.beforeNodeMorphed;
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => {
      if (old.matches && old.matches("form.pm-f") && fresh.id === old.id) { adopt(old, fresh); return false; }
      return before ? before(old, fresh) : true;
    };
  };

  /* ---- who else is here ---- */
  let part = "";
  const tell = (gone) => {
    const here = root(), token = doc.querySelector("form.pm-f [name=csrfmiddlewaretoken]");
    if (!here || !token) return;
    const data = new FormData();
    data.set("csrfmiddlewaretoken", token.value);
    data.set("part", part);
    if (gone) { data.set("gone", "1"); navigator.sendBeacon(here.dataset.here, data); return; }
    fetch(here.dataset.here, { method: "POST", body: data, headers: { "HX-Request": "true" } }).then(async (answer) => {
      if (answer.status !== 200) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("pm-here");
      const place = doc.getElementById("pm-here");
      if (fresh && place && !place.isEqualNode(fresh)) place.replaceWith(fresh);
    }).catch(() => {});
  };
  const writes = (key) => { if (key !== part) { part = key; tell(); } };
  doc.addEventListener("focusin", (event) => {
    const form = event.target.closest && event.target.closest("form.pm-f");
    writes(form && event.target === field(form) ? form.dataset.part : "");
  });

  /* ---- preview of one part ---- */
  doc.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-preview]");
    if (!button) return;
    const form = button.closest("form"), place = doc.getElementById("p-" + button.dataset.preview), open = place.hidden;
    if (open) {
      const answer = await fetch(button.dataset.previewUrl, {
        method: "POST", body: new FormData(form), headers: { "HX-Request": "true" },
      }).catch(() => null);
      if (!answer || !answer.ok) { say(form, "The preview is not there right now.", "warn"); return; }
      // Cleaned by the server; parsed apart from the page, so that nothing in it could run.
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...fresh.body.childNodes);
    }
    place.hidden = !open;
    field(form).hidden = open;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Write on" : "Preview";
    if (!open) field(form).focus();
  });

  /* ---- which part is on the screen ---- */
  const mark = () => {
    const links = [...doc.querySelectorAll(".pm-nav a")], top = innerHeight / 3;
    const seen = links.filter((link) => {
      const section = doc.getElementById(link.hash.slice(1));
      return section && section.getBoundingClientRect().top < top;
    }).pop() || links[0];
    if (seen) links.forEach((link) => { if (link === seen) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  };

  doc.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) print(); });

  const ready = () => {
    doc.querySelectorAll("[data-preview], [data-print], [data-script]").forEach((el) => { el.hidden = false; });
    mark();
  };
  const start = () => {
    if (!root()) { ready(); doc.addEventListener("htmx:afterSettle", ready); return; }
    if (window.Idiomorph) watch();
    forms().forEach((form) => {
      const found = kept(form), area = field(form);
      if (!found) return;
      if (found.text === area.value) { forget(form); return; }
      // Written on the version that it says: when somebody was faster, both come up side by side.
      area.value = found.text;
      base(form).value = found.base;
      say(form, "Brought back from this browser, saving…");
      soon(form, 400);
    });
    ready();
    addEventListener("scroll", mark, { passive: true });
    doc.addEventListener("htmx:afterSettle", ready);
    doc.addEventListener("visibilitychange", () => { if (doc.hidden) leave(); else tell(); });
    addEventListener("pagehide", () => { leave(); tell(true); });
    setInterval(() => { if (!doc.hidden) tell(); }, TELL);
    tell();
  };
  if (doc.readyState === "loading") doc.addEventListener("DOMContentLoaded", start); else start();
})();
