// A band in a thread of its own: steps in time, and tells of each as it is due.

import { Band } from "./band.js";

let [band, bytes, timer, due, tempo] = [null, null, 0, 0, 112];
const late = { steps: 0, late: 0, ms: [] };

const stepMs = () => 60000 / tempo / band.steps_per_beat;

function tick() {
  const begun = performance.now();
  const told = band.step();
  const took = performance.now() - begun;
  late.steps++;
  late.ms.push(took);
  if (late.ms.length > 512) late.ms.shift();
  if (begun > due + stepMs()) late.late++;
  postMessage({ what: "step", ...told, took, late: late.late });
  due += stepMs();
  if (due < begun - 1000) due = begun; // the page slept
  timer = setTimeout(tick, Math.max(due - performance.now(), 0));
}

const orders = {
  async open({ address, seed }) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address} is missing (${answer.status})`);
    bytes = new Uint8Array(await answer.arrayBuffer());
    band = new Band(bytes, { seed });
    postMessage({ what: "open", card: band.card });
  },
  start({ bpm }) {
    tempo = bpm ?? tempo;
    clearTimeout(timer);
    due = performance.now();
    tick();
  },
  stop: () => clearTimeout(timer),
  down: ({ pitch }) => band.down(pitch),
  up: ({ pitch }) => band.up(pitch),
  set: ({ temperature }) => (band.temperature = temperature),
  silence: ({ units }) => (band.silenced = units),
  mind({ untrained, seed }) {
    band = new Band(bytes, { seed, untrained });
  },
};

onmessage = async ({ data }) => {
  try {
    await orders[data.order](data);
  } catch (error) {
    postMessage({ what: "fault", reason: error.message });
  }
};
