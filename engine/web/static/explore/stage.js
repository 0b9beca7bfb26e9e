// The festival network for the pages that need it: in a thread of its own where there are any, else in this one.

import { conduct } from "../lib/band-worker.js";
import { palette } from "../lib/colour.js";

const ADDRESS = new URL("../lib/networks/festival.onnx", import.meta.url).href;
export const BPM = 104;
const AHEAD_MS = 40; // what is due sounds so much later, all of it, so that a message that took its time is still in time

/**
 * `told` is called with every message of the band: {what: "open" | "again" | "notice" | "step" | "fault", ...}. `ort`: onnxruntime-web is to
 * compute it, if it is there.
 */
export function openStage(told, { ort = false } = {}) {
  let [take, opened, closed] = [null, false, false];
  const open = { order: "open", address: ADDRESS, seed: 1, ort };
  const tell = (message) => {
    if (closed) return;
    opened ||= message.what === "open";
    told(message);
  };
  let worker = null;
  const here = () => {
    worker = null;
    take = conduct(tell);
    take(open);
  };
  try {
    worker = new Worker(new URL("../lib/band-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => tell(data);
    worker.onerror = () => (opened ? tell({ what: "fault", reason: "the thread ended" }) : here());
    take = (order) => worker.postMessage(order);
    take(open);
  } catch {
    here();
  }
  return {
    send: (order, more = {}) => take({ order, ...more }),
    close: () => {
      take({ order: "close" });
      closed = true;
      worker?.terminate();
    },
  };
}

/** Say what is amiss with the band; false where nothing is. */
export function saysFault(app, { what, reason, wait_s }) {
  if (what === "again") app.say("key.again", { reason, seconds: wait_s });
  else if (what === "fault") app.say("key.fault", { reason });
  return what === "again" || what === "fault";
}

/** What the colours of its five instruments mean. */
export const instruments = (app) => ["drums", "bass", "chords", "pad", "lead"].map((name) => ["block", palette.tracks[name], app.t(`track.${name}`)]);

/** Seconds until what is due at `at` (ms since 1970) is to sound. */
export const soundsIn = (at) => Math.max((at + AHEAD_MS - performance.timeOrigin - performance.now()) / 1000, 0);

/** Let what the band begins be heard: drums as drums, the rest as tones of their register; what is the visitor's own is not. */
export function sound(voice, tracks, begun, in_s = 0) {
  for (const { track, pitch, level, yours } of begun) {
    if (yours) continue;
    const { name, kind } = tracks[track];
    if (kind === "drums") voice.drum(pitch === 36 ? 0 : [38, 37, 39].includes(pitch) ? 1 : 2, 0.6 * level, in_s);
    else {
      const seconds = { bass: 0.5, chords: 0.9, pad: 1.6, lead: 0.5 }[name] ?? 0.6;
      const bright = { bass: 0.2, chords: 0.35, pad: 0.1, lead: 0.7 }[name] ?? 0.4;
      voice.pluck(pitch, { seconds, level: (name === "pad" ? 0.35 : 0.6) * level, bright, in_s });
    }
  }
}
