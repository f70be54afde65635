// The portal's own script, beside htmx: keeps the live board fresh, copies values. Every page works without either.
"use strict";

const PERIOD = 2000;
// Changes of the board kept while something in it is open; beyond it the whole board is asked for.
const MOST_WAITING = 500;
// Time (ms) without a turn of the clock after which the machine has slept.
const SLEEP = 20_000;

// The live board: the server sends it whenever it changes. Where that cannot be had it is asked for again and again.
function follow(board) {
  const ahead = Date.now() - Number(board.dataset.now);
  const page = document.documentElement;
  let waiting = [];
  let shown = "";
  let timer = 0;
  let stream = null;

  // What is about to be pressed must not vanish under the finger, nor a form that is being filled in.
  const busy = () => board.contains(document.activeElement) || board.querySelector("details[open], button:active") !== null;
  const put = (change) => {
    waiting.push(change);
    if (busy()) return;
    for (const one of waiting.splice(0)) one();
    tick();
  };
  const whole = (html) => () => {
    if (shown === html) return;
    board.innerHTML = html;
    shown = html;
    htmx.process(board);
  };
  // Lines that have changed by their numbers, and the order of all lines when it has; one that is not in it has gone.
  const some = ({ lines, order }) => () => {
    shown = "";
    const known = new Map(Array.from(board.querySelectorAll("[data-line]"), (line) => [line.dataset.line, line]));
    for (const [number, html] of Object.entries(lines)) {
      const made = document.createElement("template");
      made.innerHTML = html;
      const line = made.content.firstElementChild;
      if (known.has(number)) known.get(number).replaceWith(line);
      else board.append(line);
      known.set(number, line);
      htmx.process(line);
    }
    if (order === null) return;
    let place = board.firstElementChild;
    for (const number of order) {
      const line = known.get(number);
      if (line === place) place = place.nextElementSibling;
      else board.insertBefore(line, place);
    }
    while (place !== null) {
      const gone = place;
      place = place.nextElementSibling;
      gone.remove();
    }
  };
  const tick = () => {
    if (waiting.length > MOST_WAITING) {
      waiting = [];
      ask();
    }
    if (waiting.length > 0 && !busy()) put(() => {});
    for (const one of board.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - ahead - Number(one.dataset.since)) / 1000));
      one.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
  };
  const ask = async () => {
    try {
      const answer = await fetch(board.dataset.board, { redirect: "error" });
      if (answer.status === 403) location.reload();
      if (!answer.ok) throw new Error(answer.statusText);
      put(whole(await answer.text()));
      delete page.dataset.lost;
    } catch {
      page.dataset.lost = "";
    }
  };
  const poll = () => { if (!document.hidden) ask(); };
  const listen = () => {
    stream?.close();
    stream = new EventSource(`${board.dataset.board}/stream`);
    stream.addEventListener("board", (event) => {
      clearInterval(timer);
      timer = 0;
      delete page.dataset.lost;
      waiting = [];
      put(whole(event.data));
    });
    stream.addEventListener("lines", (event) => put(some(JSON.parse(event.data))));
    stream.addEventListener("error", () => { if (!timer) { poll(); timer = setInterval(poll, PERIOD); } });
  };
  // After a sleep the connection may be gone without anybody having told the browser. A hidden page has few turns.
  let awake = Date.now();
  const wake = () => {
    if (document.hidden) return;
    if (Date.now() - awake > SLEEP) listen();
    awake = Date.now();
  };
  listen();
  document.addEventListener("visibilitychange", () => {
    wake();
    poll();
  });
  setInterval(wake, 1000);
  setInterval(tick, 500);
  tick();
}

document.querySelectorAll("[data-board]").forEach(follow);

// A command that was refused says why, on the page as it is.
document.addEventListener("htmx:responseError", (event) => {
  if (!event.detail.elt.closest("[data-board]")) return;
  const said = document.createElement("p");
  said.className = "notice bad toast";
  said.role = "alert";
  said.textContent = event.detail.xhr.responseText;
  document.body.append(said);
  setTimeout(() => said.remove(), 8000);
});
// One that was done closes its form and lets go of the button, so that the board may change.
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful || !event.detail.elt.closest("[data-board]")) return;
  document.activeElement.blur();
  for (const open of document.querySelectorAll("[data-board] details[open]")) open.open = false;
});

// A part of a page that is asked for again and again: not while something in it is open or about to be pressed.
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  if (!part.matches("[data-renewed]")) return;
  if (part.contains(document.activeElement) || part.querySelector("details[open]")) event.detail.shouldSwap = false;
  delete document.documentElement.dataset.lost;
});
for (const lost of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(lost, (event) => {
    if (event.detail.elt.matches("[data-renewed]")) document.documentElement.dataset.lost = "";
  });
}

// Which of the saved searches is shown, while the form changes the address.
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const one of document.querySelectorAll(".saved a")) {
    if (one.href === location.href) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
});

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

// One box chooses all that are shown.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-choose-all]")) return;
  for (const one of document.querySelectorAll("[data-choose]")) one.checked = event.target.checked;
});
