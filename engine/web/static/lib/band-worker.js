// A band in a thread of its own: steps in time, and tells of each as it is due. Where there are no threads, a page does the same.

import { Band } from "./band.js";
import { openOrt } from "./ort.js";

const pause = () => new Promise((done) => setTimeout(done));

/** Conduct a band: return who takes orders; `tell` is told of what happens: {what: "open" | "notice" | "step" | "fault", ...}. */
export function conduct(tell) {
  let [band, bytes, playing, timer, due, tempo, late] = [null, null, false, 0, 0, 112, 0];
  let beside = null; // a band that has learned nothing, step by step with the other

  const stepMs = () => 60000 / tempo / band.steps_per_beat;

  /** A step; `at` is when it is due, in ms since 1970, as a page has another clock. Late is who is not done when the next is due. */
  async function tick() {
    const begun = performance.now();
    const told = await band.stepLater();
    const other = beside?.step();
    const done = performance.now();
    if (!playing) return;
    if (done > due + stepMs()) late++;
    tell({ what: "step", ...told, beside: other, at: performance.timeOrigin + due, took: done - begun, behind: done - due, late });
    due += stepMs();
    if (due < done - 1000) due = done; // the page slept
    timer = setTimeout(tick, Math.max(due - performance.now(), 0));
  }

  const orders = {
    async open({ address, seed, ort = false }) {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${address} is missing (${answer.status})`);
      bytes = new Uint8Array(await answer.arrayBuffer());
      let player = null;
      if (ort) {
        try {
          player = await openOrt(bytes);
        } catch (error) {
          tell({ what: "notice", reason: error.message });
        }
      }
      band = new Band(bytes, { seed, player });
      await band.warm();
      tell({ what: "open", card: band.card, by: player ? "onnxruntime-web" : "player.js" });
    },
    start({ bpm }) {
      tempo = bpm ?? tempo;
      clearTimeout(timer);
      [playing, due] = [true, performance.now()];
      return tick();
    },
    stop() {
      playing = false;
      clearTimeout(timer);
    },
    down: ({ pitch }) => band.down(pitch),
    up: ({ pitch }) => band.up(pitch),
    set: ({ temperature }) => (band.temperature = temperature),
    silence: ({ units }) => band.silence(units),
    async beside({ on, seed }) {
      beside = null;
      if (!on) return;
      const made = new Band(bytes, { seed, untrained: true });
      await pause(); // a step may be due
      await made.warm(1);
      beside = made;
    },
  };

  let opening = null; // what is ordered meanwhile waits for it
  return async (order) => {
    try {
      if (order.order === "open") await (opening = orders.open(order));
      else {
        await opening?.catch(() => {}); // it told so itself
        if (band) await orders[order.order](order);
      }
    } catch (error) {
      tell({ what: "fault", reason: error.message });
    }
  };
}

if (typeof document === "undefined") {
  const take = conduct((message) => postMessage(message));
  onmessage = ({ data }) => take(data);
}
