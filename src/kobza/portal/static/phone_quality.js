// How well a call is carried, from what the browser counts (RTCPeerConnection.getStats).

const SILENT_AFTER = 3;

export class Quality {
  constructor(connection) {
    this.connection = connection;
    this.received = this.lost = this.silent = 0;
  }

  // Return { grade, loss (%), jitter (ms), trip (ms) } of the time since the last look; null while there is nothing to judge.
  async look() {
    const now = { received: 0, lost: 0, jitter: 0, trip: 0 };
    let heard = false;
    for (const one of (await this.connection.getStats()).values()) {
      if (one.type === "inbound-rtp" && one.kind === "audio") {
        heard = true;
        now.received = one.packetsReceived;
        now.lost = Math.max(0, one.packetsLost);
        now.jitter = one.jitter * 1000;
      } else if (one.type === "remote-inbound-rtp" && one.roundTripTime !== undefined) {
        now.trip = one.roundTripTime * 1000;
      } else if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined && !now.trip) {
        now.trip = one.currentRoundTripTime * 1000;
      }
    }
    if (!heard) return null;
    const received = now.received - this.received;
    const lost = Math.max(0, now.lost - this.lost);
    this.received = now.received;
    this.lost = now.lost;
    this.silent = received ? 0 : this.silent + 1;
    const loss = received + lost ? (100 * lost) / (received + lost) : 0;
    return { grade: this.grade(loss, now), loss: Math.round(loss), jitter: Math.round(now.jitter), trip: Math.round(now.trip) };
  }

  // Limits: what people notice with G.711 (ITU-T G.113 and G.114, roughly).
  grade(loss, { jitter, trip }) {
    if (this.silent >= SILENT_AFTER) return "silent";
    if (loss > 5 || jitter > 60 || trip > 600) return "poor";
    if (loss > 1 || jitter > 30 || trip > 300) return "fair";
    return "good";
  }
}
