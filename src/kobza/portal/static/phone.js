// The phone in the browser: SIP by JsSIP over the portal's own WebSocket. The socket is let in by the session, so there is
// no password here. One call at a time: whoever calls meanwhile hears that it is busy.
import { PhoneSocket } from "./phone_socket.js";
import { Quality } from "./phone_quality.js";
import * as sounds from "./phone_sounds.js";

const LOOK_EVERY = 2000;
const LOG_LENGTH = 10;
const REGISTER_FOR = 300;
const SIGNED_OUT = 1008;
const CROWDED = 1013;
const MEDIA = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [], rtcpMuxPolicy: "require" } };

const at = (id) => document.getElementById(id);
const phone = at("phone");
const texts = JSON.parse(phone.dataset.texts);
const say = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const title = document.title;
const host = location.hostname;
const address = (number) => `sip:${encodeURIComponent(number)}@${host}`;

// One device for each tab, the same after a reload: so its new registration takes the place of the old one.
function kept(name, make) {
  const known = sessionStorage.getItem(name);
  if (known) return known;
  const made = make();
  sessionStorage.setItem(name, made);
  return made;
}
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const socket = new PhoneSocket(`${location.origin.replace(/^http/, "ws")}/sip`);
const ua = new JsSIP.UA({
  sockets: [socket],
  uri: address(phone.dataset.user),
  contact_uri: kept("phone-contact", () => `sip:${random()}@${random()}.invalid;transport=ws`),
  register_expires: REGISTER_FOR,
  session_timers: false,
  connection_recovery_min_interval: 1,
  connection_recovery_max_interval: 15,
  user_agent: "Kobza portal",
});

// --- registration

function state(kind, key) {
  at("state").className = `mark ${kind}`;
  at("state").textContent = say(key);
  phone.dataset.state = kind;
}

function trouble(where, text) {
  const place = at(where);
  place.hidden = !text;
  if (place.textContent !== text) place.textContent = text;
}

const lost = () => state("waiting", navigator.onLine ? "lost" : "offline");
let stopped = false;
const stop = (key) => {
  stopped = true;
  ua.stop();
  state("broken", "off");
  trouble("trouble", say(key));
  if (key === "signed_out") {
    const link = document.createElement("a");
    link.href = `/signin?next=${encodeURIComponent(location.pathname)}`;
    link.textContent = say("sign_in");
    at("trouble").append(" ", link);
  }
};

ua.on("registered", () => { state("ready", "ready"); trouble("trouble", microphoneTrouble()); });
ua.on("unregistered", () => { if (!stopped) lost(); });
ua.on("registrationFailed", ({ response }) => {
  if (!response) { lost(); return; }
  state("broken", "lost");
  trouble("trouble", say("refused", { reason: `${response.status_code} ${response.reason_phrase}` }));
  setTimeout(() => { if (ua.isConnected() && !ua.isRegistered()) ua.register(); }, 10000);
});
ua.on("disconnected", async ({ code }) => {
  if (stopped) return;
  lost();
  if (code === SIGNED_OUT) return stop("signed_out");
  if (code === CROWDED) return trouble("trouble", say("crowded"));
  // A socket that is refused says nothing; the page behind the same session does.
  try {
    const page = await fetch(location.pathname, { redirect: "manual", cache: "no-store" });
    if (page.type === "opaqueredirect") stop("signed_out");
  } catch {
    lost();
  }
});
addEventListener("offline", () => { if (!stopped) lost(); });
// The computer woke up, or has a network again: is the connection still good?
const look = () => { if (socket.isConnected()) socket.ping(); };
addEventListener("online", look);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });

// --- what the browser has to allow

let microphone = "";
const microphoneTrouble = () => (navigator.mediaDevices ? microphone : say("insecure"));

async function showSetup() {
  const asked = async (name) => (await navigator.permissions.query({ name })).state;
  const [hears, notifies] = await Promise.all([asked("microphone").catch(() => "prompt"), "Notification" in window ? Notification.permission : "denied"]);
  at("setup").hidden = !navigator.mediaDevices || (hears !== "prompt" && notifies !== "default");
  microphone = hears === "denied" ? say("microphone_denied") : "";
  trouble("trouble", microphoneTrouble());
}

at("allow").addEventListener("click", async () => {
  sounds.wake();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    for (const track of stream.getTracks()) track.stop();
    microphone = "";
  } catch {
    microphone = say("microphone_denied");
  }
  if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission();
  at("setup").hidden = true;
  const silent = "Notification" in window && Notification.permission === "denied" ? say("notifications_denied") : "";
  trouble("trouble", microphoneTrouble() || silent);
});
document.addEventListener("pointerdown", sounds.wake);
document.addEventListener("keydown", sounds.wake);

// --- the call

let call = null;

class Call {
  constructor(session) {
    this.session = session;
    this.incoming = session.direction === "incoming";
    const who = session.remote_identity;
    this.number = who.uri.user || "";
    this.name = who.display_name || "";
    this.begun = new Date();
    this.answered = 0;
    this.timer = 0;
    this.quality = null;
    this.notification = null;
    this.moved = false;
  }
}

ua.on("newRTCSession", ({ session, originator }) => {
  if (call) {
    if (originator === "remote") session.terminate({ status_code: 486 });
    return;
  }
  call = new Call(session);
  const own = call;
  if (session.connection) carry(session.connection);
  session.on("peerconnection", ({ peerconnection }) => carry(peerconnection));
  session.on("progress", ({ response, originator: from }) => {
    if (from !== "remote") return;
    show("ringing", "ringing");
    if (!response.body) sounds.waiting();
  });
  session.on("accepted", talking);
  session.on("confirmed", talking);
  session.on("hold", held);
  session.on("unhold", held);
  session.on("muted", () => pressed("mute", true, "unmute"));
  session.on("unmuted", () => pressed("mute", false, "mute"));
  session.on("getusermediafailed", () => { microphone = say("microphone_denied"); });
  session.on("ended", ({ cause }) => over(cause === JsSIP.C.causes.RTP_TIMEOUT ? "end_connection" : "end_done"));
  session.on("failed", (event) => over(...whyFailed(own, event)));
  begin();
});

function carry(connection) {
  call.quality = new Quality(connection);
  connection.addEventListener("track", ({ streams, track }) => { at("far").srcObject = streams[0] || new MediaStream([track]); });
}

function begin() {
  phone.classList.add("in-call");
  at("idle").hidden = true;
  at("call").hidden = false;
  at("incoming").hidden = !call.incoming;
  at("ongoing").hidden = call.incoming;
  at("talk-buttons").hidden = at("transfer").hidden = at("keys-hint").hidden = at("quality").hidden = true;
  at("length").textContent = "";
  trouble("call-trouble", "");
  pressed("mute", false, "mute");
  pressed("hold", false, "hold");
  name();
  if (call.incoming) {
    show("ringing", "incoming");
    sounds.ring();
    notify();
    at("answer").focus({ preventScroll: true });
  } else {
    show("waiting", "calling");
  }
}

// The address book knows more names than SIP tells.
async function name() {
  const own = call;
  const put = () => {
    at("who").textContent = own.name || own.number;
    at("who-number").textContent = own.name ? own.number : "";
  };
  put();
  try {
    const known = await (await fetch(`/phone/who?number=${encodeURIComponent(own.number)}`)).json();
    own.name = known.name || own.name;
    own.shown = known.number;
  } catch {
    return;
  }
  if (call !== own) return;
  put();
  at("who-number").textContent = own.name ? own.shown : "";
  if (!own.name) at("who").textContent = own.shown;
}

function notify() {
  document.title = `☎ ${call.name || call.number}`;
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  try {
    call.notification = new Notification(say("incoming"), { body: call.name || call.number, icon: "/static/kobza.svg", tag: "call", requireInteraction: true });
    call.notification.onclick = () => { window.focus(); };
  } catch {
    call.notification = null; // browsers of phones have them for installed pages alone
  }
}

function quiet() {
  sounds.silence();
  document.title = title;
  if (call.notification) call.notification.close();
}

function show(kind, key) {
  at("call-state").className = `mark ${kind}`;
  at("call-state").textContent = say(key);
}

function pressed(id, on, key) {
  at(id).classList.toggle("on", on);
  at(id).textContent = say(key);
}

function talking() {
  if (call.answered) return;
  quiet();
  call.answered = Date.now();
  microphone = "";
  trouble("trouble", "");
  at("incoming").hidden = true;
  at("ongoing").hidden = at("talk-buttons").hidden = at("keys-hint").hidden = false;
  show("talking", "talking");
  call.timer = setInterval(tick, 500);
  call.judging = setInterval(judge, LOOK_EVERY);
  tick();
}

const length = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const lasted = () => Math.floor((Date.now() - call.answered) / 1000);
const tick = () => { at("length").textContent = length(lasted()); };

async function judge() {
  const own = call;
  const found = await own.quality?.look();
  if (!found || call !== own || own.session.isOnHold().local || own.session.isOnHold().remote) {
    if (call === own) at("quality").hidden = true;
    return;
  }
  at("quality").hidden = false;
  at("quality").className = `quality soft ${found.grade}`;
  at("quality").textContent = `${say(`quality_${found.grade}`)} · ${say("quality_detail", found)}`;
}

function held() {
  const on = call.session.isOnHold();
  pressed("hold", on.local, on.local ? "resume" : "hold");
  show(on.local || on.remote ? "onhold" : "talking", on.local || on.remote ? "held" : "talking");
}

const BY_STATUS = {
  403: "end_rejected", 404: "end_unknown", 408: "end_no_answer", 410: "end_unknown", 480: "end_unavailable", 484: "end_unknown",
  486: "end_busy", 487: "end_cancelled", 488: "end_no_sound", 503: "end_no_line", 600: "end_busy", 603: "end_rejected", 604: "end_unknown",
};

function whyFailed(own, { originator, message, cause }) {
  const causes = JsSIP.C.causes;
  if (cause === causes.USER_DENIED_MEDIA_ACCESS) return ["end_microphone"];
  if (cause === causes.CONNECTION_ERROR || cause === causes.REQUEST_TIMEOUT) return ["end_connection"];
  if (own.incoming) {
    if (originator === "local") return ["end_rejected"];
    const reason = message?.getHeader("Reason") || "";
    return [/cause=200\b/.test(reason) ? "end_elsewhere" : "missed"];
  }
  if (originator === "local") return ["end_cancelled"];
  const code = message?.status_code;
  return BY_STATUS[code] ? [BY_STATUS[code]] : ["end_failed", { code: code || cause }];
}

function over(key, values) {
  quiet();
  clearInterval(call.timer);
  clearInterval(call.judging);
  log(call, call.moved ? say("transferred") : say(key, values), call.answered ? length(lasted()) : "");
  call = null;
  at("far").srcObject = null;
  phone.classList.remove("in-call");
  at("call").hidden = true;
  at("idle").hidden = false;
  if (microphoneTrouble()) trouble("trouble", microphoneTrouble());
}

function log(done, outcome, length) {
  const row = document.createElement("li");
  const arrow = document.createElement("span");
  arrow.className = `arrow ${done.incoming ? "incoming" : "outgoing"}`;
  arrow.textContent = done.incoming ? "↙" : "↗";
  arrow.setAttribute("aria-hidden", "true");
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = done.name || done.shown || done.number;
  again.title = say("redial", { number: done.shown || done.number });
  again.addEventListener("click", () => { at("dialled").value = done.number; at("go").click(); });
  const end = document.createElement("span");
  end.className = "soft";
  const time = done.begun.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  end.textContent = [time, outcome, length].filter(Boolean).join(" · ");
  row.append(arrow, again, end);
  at("log").prepend(row);
  while (at("log").children.length > LOG_LENGTH) at("log").lastChild.remove();
  at("done").hidden = false;
}

// --- buttons and keys

at("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = at("dialled").value.replace(/[^\d+*#]/g, "");
  if (!number || call) return;
  if (!ua.isConnected()) { trouble("trouble", say("lost")); return; }
  ua.call(address(number), MEDIA);
});
at("answer").addEventListener("click", () => { if (call?.incoming && !call.answered) { quiet(); call.session.answer(MEDIA); } });
at("decline").addEventListener("click", () => call?.session.terminate({ status_code: 603 }));
at("hang-up").addEventListener("click", () => call?.session.terminate());
at("mute").addEventListener("click", () => (call.session.isMuted().audio ? call.session.unmute({ audio: true }) : call.session.mute({ audio: true })));
at("hold").addEventListener("click", () => (call.session.isOnHold().local ? call.session.unhold() : call.session.hold()));
at("to-transfer").addEventListener("click", () => {
  const open = at("transfer").hidden;
  at("transfer").hidden = !open;
  at("to-transfer").setAttribute("aria-expanded", open);
  if (open) at("transfer-to").focus();
});
at("transfer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const own = call;
  const body = new URLSearchParams({ csrf: phone.dataset.csrf, destination: at("transfer-to").value });
  try {
    const answer = await fetch("/phone/transfer", { method: "POST", body, headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(await answer.text());
    own.moved = true;
    at("transfer").hidden = true;
    at("transfer").reset();
  } catch (error) {
    trouble("call-trouble", error.message);
  }
});

function press(key) {
  sounds.key(key);
  if (!call) {
    const field = at("dialled");
    field.value += key;
    return;
  }
  if (!call.answered) return;
  const sender = call.session.connection.getSenders().find((one) => one.dtmf);
  call.session.sendDTMF(key, { transportType: sender?.dtmf.canInsertDTMF ? "RFC2833" : "INFO" });
}

for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => press(button.dataset.key));
// In a call, digits typed anywhere but into a field are keys of the phone.
document.addEventListener("keydown", (event) => {
  if (!call?.answered || event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = /^[\d*#]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
  if (!button) return;
  event.preventDefault();
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 150);
  press(event.key);
});
at("erase").addEventListener("click", () => {
  at("dialled").value = at("dialled").value.slice(0, -1);
  at("dialled").focus();
});

addEventListener("beforeunload", (event) => { if (call) event.preventDefault(); });
addEventListener("pagehide", () => { stopped = true; ua.stop(); });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

showSetup();
ua.start();
