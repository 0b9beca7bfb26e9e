// The festival network for the pages that need it: in a thread of its own where there are any, else in this one.

import { Band } from "../lib/band.js";

const ADDRESS = new URL("../lib/networks/festival.onnx", import.meta.url).href;
export const BPM = 104;

/** `told` is called with every message of the band: {what: "open" | "step" | "fault", ...}. */
export function openStage(told) {
  try {
    const worker = new Worker(new URL("../lib/band-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => told(data);
    worker.onerror = () => told({ what: "fault", reason: "no thread" });
    const send = (order, more = {}) => worker.postMessage({ order, ...more });
    send("open", { address: ADDRESS, seed: 1 });
    return { send, close: () => worker.terminate() };
  } catch {
    return here(told);
  }
}

/** Without threads: a step between two pictures. */
function here(told) {
  let [band, timer, open] = [null, 0, true];
  fetch(ADDRESS)
    .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(new Error(`${answer.status}`))))
    .then((bytes) => open && told({ what: "open", card: (band = new Band(bytes, { seed: 1 })).card }))
    .catch((error) => told({ what: "fault", reason: error.message }));
  const tick = () => {
    told({ what: "step", ...band.step(), late: 0 });
    timer = setTimeout(tick, 60000 / BPM / band.steps_per_beat);
  };
  const orders = {
    start: tick,
    stop: () => clearTimeout(timer),
    down: ({ pitch }) => band.down(pitch),
    up: ({ pitch }) => band.up(pitch),
    set: ({ temperature }) => (band.temperature = temperature),
    silence: ({ units }) => (band.silenced = units),
    mind: () => {},
  };
  return {
    send: (order, more = {}) => band && orders[order]?.(more),
    close: () => {
      open = false;
      clearTimeout(timer);
    },
  };
}

/** Let what the band begins be heard: drums as drums, the rest as tones of their register. */
export function sound(voice, tracks, begun) {
  for (const { track, pitch, level, yours } of begun) {
    if (yours) continue;
    const { name, kind } = tracks[track];
    if (kind === "drums") voice.drum(pitch === 36 ? 0 : [38, 37, 39].includes(pitch) ? 1 : 2, 0.6 * level);
    else {
      const seconds = { bass: 0.5, chords: 0.9, pad: 1.6, lead: 0.5 }[name] ?? 0.6;
      voice.pluck(pitch, { seconds, level: (name === "pad" ? 0.35 : 0.6) * level, bright: { bass: 0.2, chords: 0.35, pad: 0.1, lead: 0.7 }[name] ?? 0.4 });
    }
  }
}
