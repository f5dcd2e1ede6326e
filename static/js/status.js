/* A status page that is open asks for itself again: every 15 seconds or so, conditionally, in place. */
(() => {
  "use strict";
  const main = document.querySelector("[data-status]"), EVERY = 15000, SPREAD = 2000;
  const live = document.getElementById("live"), state = document.querySelector("#live-state span");
  const pause = document.getElementById("live-pause"), news = document.getElementById("news");
  let etag = "", timer = 0, paused = false, failed = 0;

  const ago = () => document.querySelectorAll("time[data-ago]").forEach((el) => {
    const minutes = Math.floor((Date.now() - Date.parse(el.dateTime)) / 60000);
    if (minutes >= 0 && minutes < 120) el.textContent = minutes < 1 ? "just now" : minutes + " min ago";
  });

  const swap = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html"), next = fresh.getElementById("status");
    const now = document.getElementById("status");
    if (!next || next.isEqualNode(now)) return;
    const before = document.querySelector("h1").textContent, seen = new Set([...now.querySelectorAll("[id^=update-]")].map((el) => el.id));
    const opened = [...now.querySelectorAll("details[open]")].map((el) => el.id || [...now.querySelectorAll("details")].indexOf(el));
    // What somebody types, and where they are, stays: the form is taken over as it stands.
    const form = now.querySelector("form"), theirs = next.querySelector("form"), focus = document.activeElement;
    if (form && theirs) theirs.replaceWith(form);
    now.replaceWith(next);
    opened.forEach((id) => {
      const el = typeof id === "string" ? document.getElementById(id) : next.querySelectorAll("details")[id];
      if (el) el.open = true;
    });
    if (focus && focus !== document.activeElement && document.contains(focus)) focus.focus({ preventScroll: true });
    document.title = fresh.title;
    document.getElementById("favicon").href = next.dataset.icon;
    const latest = [...next.querySelectorAll("[id^=update-]")].find((el) => !seen.has(el.id));
    const head = document.querySelector("h1").textContent;
    const said = [head === before ? "" : head, latest ? "New update: " + latest.innerText.replace(/\s+/g, " ") : ""];
    news.textContent = said.filter(Boolean).join(" ");
    ago();
  };

  const tell = () => {
    state.textContent = paused ? "Paused" : failed > 1 ? "No connection, trying again" : "Updates by itself";
    state.parentElement.className = "st st--" + (paused || failed > 1 ? "warn" : "ok");
    pause.textContent = paused ? "Go on" : "Pause";
  };

  const look = async () => {
    if (!document.hidden) {
      try {
        // The browser asks with the tag of the copy that it has, from the first time on.
        const answer = await fetch(main.dataset.status, { cache: "no-cache" }), tag = answer.headers.get("ETag");
        if (answer.ok && (!tag || tag !== etag)) { etag = tag; swap(await answer.text()); }
        failed = answer.ok ? 0 : failed + 1;
      } catch (away) { failed += 1; }
      tell();
    }
    next();
  };
  const next = () => {
    clearTimeout(timer);
    // Spread out, and further apart while nothing answers.
    const wait = (EVERY - SPREAD + Math.random() * 2 * SPREAD) * Math.min(8, 2 ** Math.max(0, failed - 2));
    if (!paused) timer = setTimeout(look, wait);
  };
  pause.addEventListener("click", () => { paused = !paused; tell(); if (paused) clearTimeout(timer); else look(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) look(); });
  live.hidden = false;
  ago();
  setInterval(ago, 30000);
  next();
})();
