// 6. Train: eight bars of the visitor's own, a small LSTM learns them by heart, and plays on.

import { palette } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { Chance, TUNE, TuneLearner, continuation, madeUp } from "../../lib/nn.js";
import { Frame, curve, sides, words } from "../draw.js";
import { button, group, press, row, sheet } from "../parts.js";

const FIRST = 60;
const STEP_S = 0.16;
const SLOWED_S = 8; // learning lasts about so long, to be watched
const SAMPLES = [0, 0.15, 0.35, 0.6, 1]; // of the way, at which it plays what it knows
const SCALE = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17, 19, 21, 23, 24, 26]; // major, from C

export function create(app) {
  let [tune, learner, phase, begun, samples, heard] = [madeUp(7), null, "compose", 0, [], null];
  let [painting, at, since] = [null, 0, 0];
  const grid = sheet(app.t("train.sees"), paint);
  const chart = sheet(app.t("train.loss"));
  const learn = button(app.t("train.learn"), () => teach(), { strong: true });
  const own = button(app.t("train.clear"), () => set(new Array(TUNE.steps).fill(TUNE.rest)));
  const other = button(app.t("train.other"), () => set(madeUp(1 + Math.floor(performance.now()) % 1000)));
  const listen = button(app.t("train.listen"), () => play(tune, "yours"));
  const on = button(app.t("train.on"), () => goOn());
  on.disabled = true;
  const said = el("p", "soft");

  function set(next) {
    [tune, learner, phase, samples, heard] = [next, null, "compose", [], null];
    on.disabled = true;
  }

  let box = new Frame(0, 0, 1, 1);
  function paint(x, y, kind) {
    if (phase === "learn") return;
    const [column, height] = box.at(x, y);
    const [step, pitch] = [Math.floor(column), Math.floor(height)];
    if (step < 0 || step >= TUNE.steps || pitch < 0 || pitch >= TUNE.pitches || kind === "up") return;
    if (kind === "down") painting = tune[step] === pitch ? TUNE.rest : "note";
    const value = painting === "note" ? pitch : TUNE.rest;
    if (tune[step] === value) return;
    const next = [...tune];
    next[step] = value;
    set(next);
    if (value < TUNE.pitches) app.voice.pluck(FIRST + SCALE[value], { seconds: 0.3 });
  }

  function teach() {
    if (tune.every((sign) => sign >= TUNE.pitches)) {
      app.say("train.empty");
      return;
    }
    learner = new TuneLearner(tune, 1);
    [phase, samples, begun] = ["learn", [], performance.now() / 1000];
    on.disabled = true;
  }

  function play(signs, what) {
    heard = { signs, what };
    [at, since] = [0, 0];
  }

  function sample() {
    const chance = new Chance(samples.length + 3);
    const signs = continuation(learner.network, TUNE.rest, 24, chance, 0.6);
    samples.push({ at: learner.losses.length, signs });
    play(signs, "sample");
  }

  function goOn() {
    const known = learner.network.forward(learner.given);
    const chance = new Chance(Math.floor(performance.now()));
    play(continuation(learner.network, tune[tune.length - 1], 64, chance, 0.8, known.state), "on");
    app.say("train.goes");
  }

  /** So many steps a picture that it takes about SLOWED_S: some hundred and forty steps in all. */
  function study(now) {
    const wanted = Math.floor(((now - begun) / SLOWED_S) * 150);
    while (!learner.known && learner.losses.length < Math.min(wanted, TUNE.most)) learner.step();
    const share = learner.known ? 1 : learner.losses.length / 150;
    if (samples.length < SAMPLES.length && share >= SAMPLES[samples.length] && learner.losses.length > 0) sample();
    if (!learner.known && learner.losses.length < TUNE.most) return;
    while (samples.length < SAMPLES.length) sample();
    phase = "known";
    on.disabled = false;
    if (learner.known) app.happened("known");
    else app.say("train.hard");
  }

  let shown = 0;
  function frame(now, alone) {
    if (phase === "learn") study(now);
    if (alone && phase === "compose" && now - shown > 12) {
      shown = now;
      teach();
    }
    if (alone && phase === "known" && !heard) {
      if (now - shown > 24) {
        shown = now;
        set(madeUp(1 + (Math.floor(now) % 40)));
      } else goOn();
    }
    if (heard && now - since > STEP_S) {
      since = now;
      const sign = heard.signs[at];
      if (sign < TUNE.pitches) app.voice.pluck(FIRST + SCALE[sign], { seconds: 0.3, level: 0.5, bright: heard.what === "yours" ? 0.6 : 0.2 });
      at++;
      if (at >= heard.signs.length) heard = null;
    }
    said.textContent = learner ? app.t("train.state", { steps: learner.losses.length, nats: learner.losses[learner.losses.length - 1]?.toFixed(2) ?? "–" }) : "";
    drawGrid(grid.fit(), grid.width, grid.height);
    drawChart(chart.fit(), chart.width, chart.height);
  }

  function drawGrid(pen, width, height) {
    box = new Frame(8, 8, width - 16, height - 16, [0, TUNE.steps], [0, TUNE.pitches]);
    const [w, h] = [box.width / TUNE.steps, box.height / TUNE.pitches];
    for (let k = 0; k <= TUNE.steps; k += 4) {
      pen.fillStyle = k % 8 ? palette.line : "#33404f";
      pen.fillRect(box.px(k), box.y, 1, box.height);
    }
    for (let k = 0; k <= TUNE.pitches; k++) {
      pen.fillStyle = palette.line;
      pen.fillRect(box.x, box.py(k), box.width, 1);
    }
    const put = (signs, colour, inset) => signs.forEach((sign, k) => {
      if (k >= TUNE.steps) return;
      const pitch = sign === TUNE.hold ? lastPitch(signs, k) : sign;
      if (pitch >= TUNE.pitches) return;
      pen.fillStyle = colour;
      pen.fillRect(box.px(k) + (sign === TUNE.hold ? 0 : 1), box.py(pitch + 1) + inset, w - 1, h - 2 * inset);
    });
    put(tune, palette.player, 1);
    if (heard && heard.what !== "yours") put(heard.signs, palette.network, h * 0.3);
    if (heard) {
      pen.fillStyle = palette.text;
      pen.fillRect(box.px(Math.min(at, TUNE.steps)), box.y, 2, box.height);
    }
  }

  const lastPitch = (signs, k) => {
    while (k > 0 && signs[k] === TUNE.hold) k--;
    return signs[k];
  };

  function drawChart(pen, width, height) {
    const frame = new Frame(10, 10, width - 20, height - 20, [0, 170], [0, 3]);
    sides(pen, frame, app.t("train.chart"), "3");
    if (!learner) return;
    if (learner.losses.length > 1) curve(pen, frame, learner.losses, palette.network, 2.5);
    samples.forEach(({ at: step }, k) => words(pen, String(k + 1), frame.px(Math.min(step, 168)), frame.y + frame.height - 12, { colour: palette.player, align: "center" }));
  }

  const samplesRow = button(app.t("train.samples"), () => samples.length && play(samples[samples.length - 1].signs, "sample"));
  return { nodes: [row(grid.node), row(chart.node), said, group("chips", learn, on, listen, samplesRow, own, other)], frame };
}
