// For who has a number: a click on any other number on a page calls it. The own phone rings first.
"use strict";

{
  const page = document.body.dataset;
  const LIKE_A_NUMBER = /^\+?\d[\d ()-]{1,20}$/;
  const MEANT_OTHERWISE = "a, button, summary, label, form, h1, header, [role=button]";

  const arm = () => {
    for (const one of document.querySelectorAll("main :is(.number, .who):not([data-dials])")) {
      if (!LIKE_A_NUMBER.test(one.textContent.trim()) || one.closest(MEANT_OTHERWISE)) continue;
      one.dataset.dials = "";
      one.role = "button";
      one.tabIndex = 0;
      one.title = page.dialTitle;
    }
  };

  const say = (text, kind) => {
    const said = document.createElement("p");
    said.className = `notice ${kind} toast`;
    said.role = kind === "bad" ? "alert" : "status";
    said.textContent = text;
    document.body.append(said);
    setTimeout(() => said.remove(), 8000);
  };

  const dial = async (one) => {
    one.blur();
    const destination = one.textContent.trim();
    const body = new URLSearchParams({ csrf: page.dial, destination });
    try {
      const answer = await fetch("/own/dial", { method: "POST", body, headers: { "HX-Request": "true" }, redirect: "error" });
      if (answer.ok) say(page.dialSaid.replace("…", destination), "good");
      else say(await answer.text(), "bad");
    } catch (error) {
      say(error.message, "bad");
    }
  };

  document.addEventListener("click", (event) => {
    const one = event.target.closest("[data-dials]");
    if (one) dial(one);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    if (!event.target.matches("[data-dials]")) return;
    event.preventDefault();
    dial(event.target);
  });

  // Lists grow, and the board is written anew.
  new MutationObserver(arm).observe(document.querySelector("main"), { childList: true, subtree: true });
  arm();
}
