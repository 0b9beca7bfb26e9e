// The WebSocket: frames in, orders out. The newest step is what counts; nothing here waits in a line.

import { decode } from "./frames.js";

const AGAIN_MS = [300, 600, 1200, 2500, 5000];

export class Feed {
  constructor(query) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stage/socket${query}`;
    this.heard = {};
    this.failures = 0;
    this.hello = null;
    this.closed = false;
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
      if (this.closed) return;
      this.tell("gone", event.code);
      const wait = AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)];
      this.again = setTimeout(() => this.connect(), wait);
    };
    this.socket = socket;
  }

  // Hang up, for good.
  close() {
    this.closed = true;
    clearTimeout(this.again);
    this.socket?.close();
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
    const frame = decode(data, this.hello?.layout);
    if (frame) this.tell(frame.kind, frame.content);
  }
}
