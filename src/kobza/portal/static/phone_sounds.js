// What the page's phone sounds like: ringing, waiting for an answer, keys. Made here, so there is no file to load.

const RING = { tones: [440, 554], on: 0.4, beat: [0, 0.6], every: 3 };
const WAITING = { tones: [425], on: 1, beat: [0], every: 4 };
const LOUD = 0.15;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];

let context = null;
let timer = 0;

// Browsers let a page sound only once somebody has touched it.
export function wake() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}

export const ring = () => repeat(RING);
export const waiting = () => repeat(WAITING);

export function silence() {
  clearInterval(timer);
  timer = 0;
}

export function key(name) {
  const at = KEYS.indexOf(name);
  if (at >= 0) sound([ROWS[Math.floor(at / 3)], COLUMNS[at % 3]], 0, 0.12);
}

function repeat({ tones, on, beat, every }) {
  silence();
  const once = () => beat.forEach((start) => sound(tones, start, on));
  once();
  timer = setInterval(once, every * 1000);
}

function sound(tones, start, length) {
  if (!context || context.state !== "running") return;
  const from = context.currentTime + start;
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setTargetAtTime(LOUD / tones.length, from, 0.01);
  gain.gain.setTargetAtTime(0, from + length, 0.03);
  gain.connect(context.destination);
  for (const frequency of tones) {
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(gain);
    tone.start(from);
    tone.stop(from + length + 0.2);
  }
}
