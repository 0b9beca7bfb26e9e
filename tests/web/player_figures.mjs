// The measuring side of player_figures.py: plays given steps in a thread or in the page, and tells notes and milliseconds.

import { readOnnx } from "./lib/onnx.js";
import { openOrt } from "./lib/ort.js";
import { Player } from "./lib/player.js";

const WARM = 24;

/** Play `steps` (as tests/web/player_golden.py writes them) on a network: {notes, ms, opened_ms}. */
export async function played({ address, steps, ort = false }) {
  const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
  readOnnx(bytes); // what is read twice is not measured
  const begun = performance.now();
  const player = ort ? await openOrt(bytes) : new Player(bytes);
  const opened_ms = performance.now() - begun;
  const channels = player.card.channels.length;
  const slots = player.inputs.clamp_mask.d.length;
  const play = async ({ u, clamped }) => {
    const { inputs } = player;
    inputs.u.d.set(Float32Array.from({ length: player.card.noise }, (_, k) => parseInt(u.slice(4 * k, 4 * k + 4), 16) / 65536));
    inputs.clamp_mask.d.fill(0);
    inputs.clamp_value.d.fill(0);
    if (clamped) {
      inputs.clamp_mask.d.fill(1, clamped[0], clamped[1]);
      inputs.clamp_value.d[clamped[2] * channels] = 1;
      if (channels > 2) inputs.clamp_value.d[clamped[2] * channels + 2] = 0.75;
    }
    const at = performance.now();
    const out = await player.step();
    const ms = performance.now() - at;
    const found = [];
    for (let slot = 0; slot < slots; slot++) if (out.notes.d[slot * channels] > 0.5) found.push(slot);
    return { found, ms };
  };
  for (const step of steps.slice(0, WARM)) await play(step); // as a band does before it begins
  player.reset();
  const [notes, ms] = [[], []];
  for (const step of steps) {
    const one = await play(step);
    notes.push(one.found);
    ms.push(one.ms);
  }
  return { notes, ms, opened_ms };
}

/** How often a plain loop goes round in 300 ms: how fast this thread is. */
export function spins() {
  let [n, sum] = [0, 0];
  for (const end = performance.now() + 300; performance.now() < end; n++) for (let k = 0; k < 1000; k++) sum += Math.sqrt(k);
  return sum > 0 ? n : 0;
}

if (typeof document === "undefined")
  onmessage = async ({ data }) => {
    try {
      postMessage(data === "spins" ? spins() : await played(data));
    } catch (error) {
      postMessage({ fault: error.message });
    }
  };
