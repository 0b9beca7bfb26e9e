// feed.js: the stage's WebSocket, with a made-up one in its place: what comes is told by its kind, what breaks is opened again.

import assert from "node:assert/strict";
import { test } from "node:test";

const sockets = [];
Object.assign(globalThis, {
  location: { protocol: "http:", host: "here:8000" },
  WebSocket: class {
    static OPEN = 1;

    constructor(url) {
      Object.assign(this, { url, readyState: 1, sent: [] });
      sockets.push(this);
    }

    send(text) {
      this.sent.push(text);
    }

    close() {
      this.readyState = 3;
      this.onclose({ code: 1000 });
    }
  },
});
const { Feed } = await import("../../../engine/web/static/lib/feed.js");

test("tells by kind, asks again when it broke, hangs up for good", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [feed, told] = [new Feed("?fmt=u8"), []];
  for (const kind of ["hello", "values", "gone"]) feed.on(kind, (content) => told.push([kind, content.kind ?? content]));
  feed.connect();
  assert.equal(sockets[0].url, "ws://here:8000/stage/socket?fmt=u8");
  sockets[0].onmessage({ data: JSON.stringify({ kind: "hello", layout: { tracks: 1, slots: 1, values: 2 } }) });
  sockets[0].onmessage({ data: JSON.stringify({ kind: "values" }) });
  sockets[0].onmessage({ data: new ArrayBuffer(8) }); // nothing that anybody understands
  feed.send({ fire: "panic" });
  assert.deepEqual(sockets[0].sent, ['{"fire":"panic"}']);
  sockets[0].onclose({ code: 1006 });
  feed.send({ fire: "panic" }); // to nobody
  t.mock.timers.tick(300);
  assert.equal(sockets.length, 2);
  sockets[1].close();
  feed.close();
  t.mock.timers.tick(10_000);
  assert.equal(sockets.length, 2);
  assert.deepEqual(told, [["hello", "hello"], ["values", "values"], ["gone", 1006], ["gone", 1000]]);
});
