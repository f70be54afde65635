// The player of a recording: skips, speed, keys, and a waveform that follows and can be clicked. Without it the browser's own stays.
"use strict";

function control(player) {
  const audio = player.querySelector("audio");
  const speed = player.querySelector("[data-speed]");
  const sound = player.querySelector("[data-seek]");

  const length = () => (Number.isFinite(audio.duration) ? audio.duration : 0);
  const toggle = () => { if (audio.paused) audio.play(); else audio.pause(); };
  const skip = (seconds) => { audio.currentTime = Math.min(Math.max(0, audio.currentTime + seconds), length()); };
  const faster = (step) => {
    speed.selectedIndex = Math.min(Math.max(0, speed.selectedIndex + step), speed.options.length - 1);
    audio.playbackRate = Number(speed.value);
  };
  const show = () => {
    const line = sound.querySelector(".played");
    if (!line || !length()) return;
    const at = (line.ownerSVGElement.viewBox.baseVal.width * audio.currentTime) / length();
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
  };

  // The line goes where it was asked to go at once: the sound of that place may still be on its way.
  for (const event of ["timeupdate", "durationchange", "seeking", "seeked"]) audio.addEventListener(event, show);
  sound.addEventListener("htmx:afterSwap", show);
  speed.addEventListener("change", () => faster(0));
  player.addEventListener("click", (event) => {
    const button = event.target.closest("[data-skip]");
    if (button) skip(Number(button.dataset.skip));
  });
  sound.addEventListener("click", (event) => {
    const box = sound.getBoundingClientRect();
    audio.currentTime = (length() * (event.clientX - box.left)) / box.width;
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, audio, a, button") && event.key === " ") return;
    if (event.target.closest("input, select, textarea, audio")) return;
    const act = { " ": toggle, k: toggle, ArrowLeft: () => skip(-10), ArrowRight: () => skip(10), "-": () => faster(-1), "+": () => faster(1), "=": () => faster(1) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  show();
}

document.querySelectorAll("[data-player]").forEach(control);
