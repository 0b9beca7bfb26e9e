// The WebSocket: frames in, orders out. The newest step is what counts; nothing here waits in a line.

const MAGIC = 0x4f474c41;
const STEP = 1;
const NOTES = 2;
const SOUND = 3;
const FUTURES = 4;
export const PAST = 0x80;
const HEADER = 32;
const AGAIN_MS = [300, 600, 1200, 2500, 5000];

export class Feed {
  constructor(query) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket${query}`;
    this.heard = {};
    this.failures = 0;
    this.hello = null;
  }

  on(kind, listener) {
    this.heard[kind] = listener;
  }

  connect() {
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = (event) => {
      this.socket = null;
      this.tell("gone", event.code);
      const wait = AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)];
      setTimeout(() => this.connect(), wait);
    };
    this.socket = socket;
  }

  send(order) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(order));
  }

  tell(kind, content) {
    this.heard[kind]?.(content);
  }

  take(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.kind === "hello") {
        this.hello = message;
        this.failures = 0;
      }
      this.tell(message.kind, message);
      return;
    }
    const head = new DataView(data, 0, HEADER);
    if (head.getUint32(0, true) !== MAGIC) return;
    const kind = head.getUint8(5);
    if (kind === STEP && this.hello) this.tell("step", this.step(data, head));
    else if (kind === NOTES) this.tell("notes", notes(data, head));
    else if (kind === FUTURES && this.hello) this.tell("futures", this.futures(data, head));
    else if (kind === SOUND) this.tell("sound", new Int16Array(data, HEADER));
  }

  step(data, head) {
    const { tracks, slots, values } = this.hello.layout;
    const cellsAt = HEADER + 4 * tracks;
    const valuesAt = cellsAt + 4 * Math.ceil(slots / 4);
    const Values = head.getUint8(6) === 0 ? Uint8Array : Float32Array;
    return {
      flags: head.getUint8(7),
      step: head.getInt32(8, true),
      tempo: head.getFloat32(12, true),
      beat: head.getFloat64(16, true),
      logProb: head.getFloat32(24, true),
      mode: head.getUint8(28),
      logProbTracks: new Float32Array(data, HEADER, tracks),
      cells: new Uint8Array(data, cellsAt, slots),
      values: new Values(data, valuesAt, values),
    };
  }

  futures(data, head) {
    return {
      step: head.getInt32(8, true), // they follow this one
      count: head.getUint8(7),
      steps: head.getUint8(28),
      slots: this.hello.layout.slots,
      notes: new Uint8Array(data, HEADER), // futures, timesteps, slots: 0 silent, 1 goes on, 2 begins
    };
  }
}

function notes(data, head) {
  const view = new DataView(data, HEADER);
  const events = [];
  for (let i = 0; i < head.getInt32(8, true); i++) {
    const at = 8 * i;
    events.push({
      kind: view.getUint8(at),
      track: view.getUint8(at + 1),
      pitch: view.getUint8(at + 2),
      velocity: view.getUint8(at + 3),
      beat: view.getFloat32(at + 4, true),
    });
  }
  return { events, lost: (head.getUint8(7) & 1) === 1 };
}
