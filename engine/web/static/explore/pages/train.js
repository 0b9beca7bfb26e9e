// 6. Train: eight bars of the visitor's own; a small LSTM learns them by heart, plays on, and joins the jam.

import { palette, trackColour } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { Chance, TUNE, TuneLearner, continuation, madeUp } from "../../lib/nn.js";
import { Frame, curve, sides, words } from "../draw.js";
import { Guest } from "../guest.js";
import { button, group, press, row, sheet, struck } from "../parts.js";
import { pitchOf, signName, sounding } from "../tune.js";

const STEP_S = 0.14;
const SLOWED_S = 8; // learning lasts about so long, to be watched
const STEPS = 150; // it usually takes some hundred and twenty
const SAMPLES = [0, 0.15, 0.35, 0.6, 1]; // of the way, at which it plays what it knows ...
const SAMPLE = 11; // ... so many signs of it: till the next is due
const ALONE_S = [6, 30]; // with nobody there: it begins to learn; another tune
const FIRST = 7;

export function create(app) {
  let [tune, learner, phase, begun, samples, heard] = [app.kept.tune ?? madeUp(FIRST), null, "compose", 0, [], null];
  let [painting, cursor, at, since, guest] = [null, 0, 0, 0, null];
  const grid = sheet(app.t("train.sees"), paint, app.t("train.tune"));
  const chart = sheet(app.t("train.loss"), null, app.t("train.learning"));
  const keys = struck(Array.from({ length: TUNE.pitches }, (_, sign) => signName(app, sign)), "keys many", write);
  const held = button(signName(app, TUNE.hold), () => write(TUNE.hold), { why: app.t("train.hold.why") });
  const rest = button(signName(app, TUNE.rest), () => write(TUNE.rest), { why: app.t("train.rest.why") });
  const learn = button(app.t("train.learn"), () => teach(), { strong: true, why: app.t("train.learn.why") });
  const own = button(app.t("train.clear"), () => set(new Array(TUNE.steps).fill(TUNE.rest)));
  const other = button(app.t("train.other"), () => set(madeUp(1 + (Math.floor(performance.now()) % 1000))));
  const listen = button(app.t("train.listen"), () => play(tune, "yours"));
  const moments = SAMPLES.map((_, k) => button(app.t("train.sample", { number: k + 1 }), () => play(samples[k].signs, "sample"), { why: app.t("train.sample.why", { number: k + 1 }) }));
  const on = button(app.t("train.on"), () => goOn(true), { why: app.t("train.on.why") });
  const join = button(app.t("train.join"), () => (guest ? part() : visit()), { pressed: false, why: app.t("train.join.why") });
  const said = el("p", "soft");
  allow();

  function set(next) {
    part();
    [tune, learner, phase, samples, heard] = [next, null, "compose", [], null];
    app.kept.tune = next;
    allow();
  }

  function allow() {
    on.disabled = phase !== "known";
    join.disabled = phase !== "known";
    moments.forEach((one, k) => (one.disabled = k >= samples.length));
  }

  /** One sign at the cursor, by key: for whom the grid is too fine. */
  function write(sign) {
    if (phase === "learn") return;
    const next = [...tune];
    next[cursor] = sign;
    cursor = (cursor + 1) % TUNE.steps;
    set(next);
    if (pitchOf(sign) !== null) app.voice.pluck(pitchOf(sign), { seconds: 0.3 });
  }

  let box = new Frame(0, 0, 1, 1);
  function paint(x, y, kind) {
    if (phase === "learn" || kind === "up") return;
    const [column, height] = box.at(x, y);
    const [step, pitch] = [Math.floor(column), Math.floor(height)];
    if (step < 0 || step >= TUNE.steps || pitch < 0 || pitch >= TUNE.pitches) return;
    if (kind === "down") painting = tune[step] === pitch ? TUNE.rest : "note";
    const value = painting === "note" ? pitch : TUNE.rest;
    cursor = (step + 1) % TUNE.steps;
    if (tune[step] === value) return;
    const next = [...tune];
    next[step] = value;
    set(next);
    if (pitchOf(value) !== null) app.voice.pluck(pitchOf(value), { seconds: 0.3 });
  }

  function teach() {
    if (tune.every((sign) => sign >= TUNE.pitches)) {
      app.say("train.empty");
      return;
    }
    part();
    learner = new TuneLearner(tune, 1);
    [phase, samples, begun] = ["learn", [], performance.now() / 1000];
    allow();
  }

  function play(signs, what) {
    heard = { signs, what };
    [at, since] = [0, 0];
  }

  /** What it knows so far, from the beginning of the tune on, at a temperature at which it dares little. */
  function sample() {
    const signs = continuation(learner.network, TUNE.rest, SAMPLE, new Chance(samples.length + 3), 0.6);
    samples.push({ at: learner.losses.length, signs });
    if (samples.length < SAMPLES.length) app.say("train.sampled", { number: samples.length, nats: learner.losses[learner.losses.length - 1].toFixed(2) });
    play(signs, "sample");
    allow();
  }

  function goOn(asked) {
    const known = learner.network.forward(learner.given);
    const chance = new Chance(Math.floor(performance.now()));
    play(continuation(learner.network, tune[tune.length - 1], TUNE.steps, chance, 0.8, known.state), "on");
    if (asked) app.say("train.goes");
  }

  /** With the band: the jam's where one serves this page, else the one in this browser. */
  function visit() {
    heard = null;
    guest = new Guest(app, learner, Math.floor(performance.now()));
    press(join, true);
  }

  function part() {
    guest?.close();
    guest = null;
    press(join, false);
  }

  /** So many steps a picture that it takes about SLOWED_S. */
  function study(now) {
    const wanted = Math.floor(((now - begun) / SLOWED_S) * STEPS);
    for (let k = 0; k < 24 && !learner.known && learner.losses.length < Math.min(wanted, TUNE.most); k++) learner.step();
    const share = learner.known ? 1 : learner.losses.length / STEPS;
    if (samples.length < SAMPLES.length - 1 && share >= SAMPLES[samples.length] && learner.losses.length > 0) sample();
    if (!learner.known && learner.losses.length < TUNE.most) return;
    while (samples.length < SAMPLES.length) sample();
    phase = "known";
    allow();
    app.say(learner.known ? "train.done" : "train.hard");
    if (learner.known) app.happened("known");
  }

  let shown = 0;
  function frame(now, alone) {
    if (phase === "learn") study(now);
    shown ||= now;
    if (!alone) shown = now;
    else if (phase === "compose" && now - shown > ALONE_S[0]) teach();
    else if (phase === "known" && now - shown > ALONE_S[1]) {
      shown = now;
      set(madeUp(1 + (Math.floor(now) % 40)));
    } else if (phase === "known" && !heard && !guest) goOn(false);
    if (heard && now - since > STEP_S) {
      since = now;
      const pitch = pitchOf(heard.signs[at]);
      if (pitch !== null) app.voice.pluck(pitch, { seconds: 0.3, level: 0.5, bright: heard.what === "yours" ? 0.6 : 0.2 });
      at++;
      if (at >= heard.signs.length) heard = null;
    }
    const nats = learner?.losses[learner.losses.length - 1];
    said.textContent = learner ? app.t("train.state", { steps: learner.losses.length, nats: nats?.toFixed(2) ?? "–" }) : "";
    drawGrid(grid.fit(), grid.width, grid.height);
    if (guest) drawGuest(chart.fit(), chart.width, chart.height);
    else drawChart(chart.fit(), chart.width, chart.height);
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
      const pitch = sounding(signs, k);
      if (pitch >= TUNE.pitches) return;
      pen.fillStyle = colour;
      pen.fillRect(box.px(k) + (sign === TUNE.hold ? 0 : 1), box.py(pitch + 1) + inset, w - 1, h - 2 * inset);
    });
    put(tune, palette.player, 1);
    if (heard && heard.what !== "yours") put(heard.signs, palette.network, h * 0.3);
    pen.fillStyle = heard ? palette.text : palette.soft;
    if (heard) pen.fillRect(box.px(Math.min(at, TUNE.steps)), box.y, 2, box.height);
    else if (phase === "compose") pen.fillRect(box.px(cursor), box.y + box.height + 2, w, 4);
  }

  function drawChart(pen, width, height) {
    const right = Math.max(STEPS, learner?.losses.length ?? 0) + 10;
    const frame = new Frame(10, 10, width - 20, height - 20, [0, right], [0, 3]);
    sides(pen, frame, app.t("train.chart"), "3");
    if (!learner) return;
    if (learner.losses.length > 1) curve(pen, frame, learner.losses, palette.network, 2.5);
    samples.forEach(({ at: step }, k) => words(pen, String(k + 1), frame.px(step), frame.y + frame.height - 12, { colour: palette.player, align: "center" }));
  }

  /** What the band plays, and in it, in amber, what the small network plays. */
  function drawGuest(pen, width, height) {
    const frame = new Frame(10, 10, width - 20, height - 20, [0, guest.seen - 1], [28, 98]);
    sides(pen, frame, app.t(guest.live ? "train.inJam" : "train.inBand"));
    for (const { track, pitch, step, yours, level } of guest.notes) {
      pen.fillStyle = yours ? palette.player : trackColour({ ...guest.tracks[track], index: track });
      pen.fillRect(frame.px(step - guest.step + guest.seen - 1), frame.py(pitch), Math.max(frame.width / 70, 2), yours ? 6 : 2 + 3 * level);
    }
  }

  return {
    nodes: [row(grid.node), row(chart.node), said, keys.node, group("chips", held, rest, own, other, listen), group("chips", learn, ...moments, on, join)],
    frame,
    legend: [["block", palette.player, app.t("train.is.yours")], ["block", palette.network, app.t("train.is.its")]],
    leave: part,
  };
}
