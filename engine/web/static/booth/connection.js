// The connection to the booth: it comes back by itself, and what was not answered is said again.

const AGAIN_MS = [150, 300, 400, 400, 400, 400, 600, 1000, 1500]; // and so on; a booth that died is begun anew within two seconds

/** The id that this phone was given today; a private window keeps it as long as it is open. */
export const identity = {
  get() {
    try {
      return localStorage.getItem("algoritmo.booth");
    } catch {
      return null;
    }
  },
  set(id) {
    try {
      localStorage.setItem("algoritmo.booth", id);
    } catch {
      // it lasts as long as the page
    }
  },
};

/** A number 0..1 that differs from phone to phone: the end of its id, which was drawn by lot. */
const share = (id) => parseInt(id?.slice(-4), 16) / 0xffff || 0;

export class Connection {
  /** `told` is called with every message, {kind: "gone"} where it broke and {kind: "hello", ...} when it is there. */
  constructor(page, told, make = (address) => new WebSocket(address)) {
    this.page = page;
    this.told = told;
    this.make = make;
    this.tries = 0;
    this.unanswered = null; // a vote that was not acknowledged
    this.open();
  }

  open() {
    const { protocol, host } = location;
    const id = identity.get();
    const query = id ? `?id=${encodeURIComponent(id)}` : "";
    this.socket = this.make(`${protocol === "https:" ? "wss" : "ws"}://${host}/${this.page}/socket${query}`);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = () => this.gone();
  }

  take(message) {
    if (message.kind === "hello") {
      this.tries = 0;
      if (message.id) identity.set(message.id);
    } else if (["counted", "refused", "slow"].includes(message.kind) && message.ballot === this.unanswered?.ballot && !message.again && message.kind !== "slow") {
      this.unanswered = null;
    }
    this.told(message);
    if (message.kind === "hello" && this.unanswered) this.send(this.unanswered);
  }

  gone() {
    this.told({ kind: "gone" });
    const wait = AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)];
    setTimeout(() => this.open(), wait * (0.6 + 0.8 * share(identity.get()))); // not all of them at once
  }

  get here() {
    return this.socket.readyState === 1;
  }

  send(message) {
    if (this.here) this.socket.send(JSON.stringify(message));
  }

  vote(ballot, choice) {
    this.unanswered = { kind: "vote", ballot, choice };
    this.send(this.unanswered);
  }

  again() {
    if (this.unanswered) this.send(this.unanswered);
  }
}
