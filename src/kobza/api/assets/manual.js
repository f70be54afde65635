// The manual reads well without this; it remembers the language of the examples, fills them in, copies and filters.
"use strict";

const KEPT = "kobza-sample";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const kept = document.getElementById(`sample-${localStorage.getItem(KEPT)}`);
if (kept) kept.checked = true;
all("input[name=sample]").forEach((choice) => {
  choice.addEventListener("change", () => localStorage.setItem(KEPT, choice.value));
});

all("[data-fills]").forEach((field) => {
  const marks = all(`var[data-fill=${field.dataset.fills}]`);
  field.addEventListener("input", () => {
    const value = field.value.trim() || field.placeholder;
    marks.forEach((mark) => { mark.textContent = value; });
  });
});

const words = document.documentElement.lang === "uk" ? ["Копіювати", "Скопійовано"] : ["Copy", "Copied"];
all(".manual figure").forEach((figure) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = words[0];
  button.addEventListener("click", async () => {
    const shown = all("pre", figure).find((pre) => pre.offsetParent !== null);
    await navigator.clipboard.writeText(shown.textContent);
    button.textContent = words[1];
    setTimeout(() => { button.textContent = words[0]; }, 1500);
  });
  figure.append(button);
});

const filter = document.querySelector(".filter");
filter?.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  all(".contents ul").forEach((list) => {
    let any = false;
    all("li", list).forEach((item) => {
      const link = item.firstElementChild;
      item.hidden = !`${link.textContent} ${link.title}`.toLowerCase().includes(wanted);
      any ||= !item.hidden;
    });
    if (list.previousElementSibling?.tagName === "H2") list.previousElementSibling.hidden = !any;
  });
});

const links = new Map(all(".contents a[href^='#']").map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((seen) => {
  seen.filter((entry) => entry.isIntersecting).forEach((entry) => {
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  });
}, { rootMargin: "-70px 0px -75% 0px" });
all("section.operation, #problems").forEach((section) => watcher.observe(section));

const menu = document.getElementById("menu");
document.querySelector(".contents")?.addEventListener("click", (event) => {
  if (menu && event.target.closest("a")) menu.checked = false;
});

const open = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", open);
open();
