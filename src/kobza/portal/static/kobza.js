// The portal's own script, beside htmx: keeps the live calls fresh, copies values. Every page works without either.
"use strict";

const PERIOD = 2000;

function refresh(live) {
  let timer = 0;
  const next = (delay) => { clearTimeout(timer); timer = setTimeout(tick, delay); };
  const tick = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(live.dataset.live, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      const html = await answer.text();
      // A button that is about to be pressed must not vanish under the finger.
      if (!live.contains(document.activeElement) || document.activeElement === live) {
        if (live.dataset.shown !== html) { live.innerHTML = html; live.dataset.shown = html; }
      }
      delete live.dataset.lost;
      next(PERIOD);
    } catch {
      live.dataset.lost = "";
      next(PERIOD * 3);
    }
  };
  document.addEventListener("visibilitychange", () => next(0));
  next(PERIOD);
}

document.querySelectorAll("[data-live]").forEach(refresh);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  button.textContent = button.dataset.copied;
});

// The language and the theme change on the page as it is now: filters change its address after it came.
document.addEventListener("click", (event) => {
  const choice = event.target.closest(".choice a");
  if (!choice) return;
  const target = new URL(choice.href);
  target.searchParams.set("next", location.pathname + location.search);
  choice.href = target;
});
