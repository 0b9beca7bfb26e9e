// The jam that serves this page, where one does: the same network as on the stage page, through the same door.

import { Feed } from "../lib/feed.js";
import { PAST } from "../lib/frames.js";
import { CLAMPED, HOLD, Net, PLAY } from "../lib/net.js";

/** What serves these pages: {jam: whether one does, address: where others find it, or null}. A plain file server says none. */
export async function servedBy() {
  try {
    const answer = await fetch(new URL("../lib/served.json", import.meta.url));
    return answer.ok ? await answer.json() : { jam: false, address: null };
  } catch {
    return { jam: false, address: null };
  }
}

/**
 * Listen to the jam: `told` is called with {what: "open", card, may} (and again when `may`, whether keys are taken, changes),
 * {what: "step", step, h, begun, past} and {what: "gone"}.
 */
export function openJam(told) {
  let net = null;
  const feed = new Feed("");
  feed.on("hello", (hello) => {
    net = new Net(hello);
    told({ what: "open", card: hello.card, may: hello.may_change });
    const token = sessionStorage.getItem("token"); // of the address with which the stage page was opened here
    if (token && !hello.may_change) feed.send({ token });
  });
  feed.on("allowed", ({ may_change }) => net && told({ what: "open", card: net.card, may: may_change }));
  feed.on("step", (frame) => {
    if (net) told({ what: "step", step: frame.step, h: said(net, frame), begun: begun(net, frame), past: (frame.flags & PAST) !== 0 });
  });
  feed.on("gone", () => told({ what: "gone" }));
  feed.connect();
  return {
    down: (pitch, level = 0.7) => feed.send({ midi: [144, pitch, Math.round(127 * level)] }),
    up: (pitch) => feed.send({ midi: [128, pitch, 0] }),
    close: () => feed.close(),
  };
}

/** One array a layer; where every note has units of its own, each unit's mean over the notes. */
function said(net, frame) {
  return net.stack.map(({ main, rows, units }) =>
    Float32Array.from({ length: units }, (_, unit) => {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += net.value(frame, main, row * units + unit);
      return sum / rows;
    }),
  );
}

function begun(net, frame) {
  const found = [];
  frame.cells.forEach((cell, slot) => {
    if (!(cell & PLAY) || cell & HOLD) return;
    found.push({ track: net.slotTrack[slot], pitch: net.slotPitch[slot], level: 0.7, yours: (cell & CLAMPED) !== 0 });
  });
  return found;
}
