// A band in a thread of its own: steps in time, and tells of each as it is due. Where there are no threads, a page does the same.

import { Band } from "./band.js";
import { openOrt } from "./ort.js";

const WAITS_S = [1, 2, 4, 8, 16, 30]; // between two tries to fetch the network; the last one for good

const pause = (ms = 0) => new Promise((done) => setTimeout(done, ms));

/** Fetch a file; what fails on the way is tried again, less and less often, until `over`. Throws where it is not to be had. */
async function fetched(address, tell, over) {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await fetch(address);
      if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
      const refused = new Error(`${address} is missing (${answer.status})`);
      if (answer.status >= 400 && answer.status < 500) return Promise.reject(refused);
      throw refused;
    } catch (error) {
      const wait_s = WAITS_S[Math.min(tries, WAITS_S.length - 1)];
      if (over()) throw error;
      tell({ what: "again", reason: error.message, wait_s });
      await pause(1000 * wait_s);
      if (over()) throw error;
    }
  }
}

/** Conduct a band: return who takes orders; `tell` is told of what happens:
 * {what: "open" | "again" | "notice" | "step" | "fault", ...}. */
export function conduct(tell) {
  let [band, bytes, playing, timer, due, tempo, late] = [null, null, false, 0, 0, 112, 0];
  let closed = false;
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
      bytes = await fetched(address, tell, () => closed);
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
      if (closed) return undefined;
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
      if (order.order === "close") {
        closed = true; // at once: it may still be opening
        return orders.stop();
      }
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
