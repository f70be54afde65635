// The socket that carries SIP for the page's phone, in the form that JsSIP wants of one.
// A browser does not tell when a network has silently gone: so a ping is sent now and then, and what does not answer is dropped.

const PING_EVERY = 10000;
const ANSWER_WITHIN = 5000;
const PING = "\r\n\r\n";

export class PhoneSocket {
  constructor(url) {
    this.url = url;
    this.via_transport = new URL(url).protocol === "wss:" ? "WSS" : "WS";
    this.sip_uri = `sip:${new URL(url).host};transport=ws`;
    this.socket = null;
    this.timer = 0;
    this.late = 0;
  }

  connect() {
    if (this.socket) return;
    const socket = this.socket = new WebSocket(this.url, "sip");
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.timer = setInterval(() => this.ping(), PING_EVERY);
      this.onconnect();
    };
    socket.onmessage = (event) => {
      clearTimeout(this.late);
      this.late = 0;
      this.ondata(event.data);
    };
    socket.onclose = (event) => {
      this.forget();
      this.ondisconnect(!event.wasClean, event.code, event.reason);
    };
  }

  disconnect() {
    const socket = this.socket;
    this.forget();
    if (socket) socket.close();
  }

  send(message) {
    if (!this.isConnected()) return false;
    this.socket.send(message);
    return true;
  }

  isConnected() { return this.socket !== null && this.socket.readyState === WebSocket.OPEN; }
  isConnecting() { return this.socket !== null && this.socket.readyState === WebSocket.CONNECTING; }

  // Ask whether the server is still there: now and then, and when the network or the computer comes back.
  ping() {
    if (!this.send(PING) || this.late) return;
    this.late = setTimeout(() => {
      this.disconnect();
      this.ondisconnect(true, 4000, "no answer");
    }, ANSWER_WITHIN);
  }

  forget() {
    clearInterval(this.timer);
    clearTimeout(this.late);
    this.late = 0;
    if (this.socket) this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket = null;
  }
}
