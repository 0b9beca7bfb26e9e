// 6. Train: eight bars of the visitor's own; a small LSTM learns them by heart, plays on, and joins the jam.

import { palette, trackColour } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { Chance, TUNE, TuneLearner, continuation, madeUp } from "../../lib/nn.js";
import { Frame, chart, curve, dot, line, scale, wide, words } from "../draw.js";
import { Guest } from "../guest.js";
import { button, group, press, row, sheet, struck } from "../parts.js";
import { instruments } from "../stage.js";
import { pitchOf, signName, sounding } from "../tune.js";

const STEP_S = 0.14;
// Slowed, to be watched: after so many seconds, to this power, times this, so many steps are done. Easy tunes are known after
// 80 steps, in 4 s; most after some 150, in 6 s; the hardest take 300, in 9 s.
const PACE = [1.86, 5.2];
const STEPS = 150; // drawn at least
const SAMPLES_S = [0, 1.7, 3.4, 5.1]; // when it plays what it knows, and once more when it has learned ...
const SAMPLES = SAMPLES_S.length + 1;
const SAMPLE = 11; // ... so many signs of it: till the next is due
const ALONE_S = [6, 30]; // with nobody there: it begins to learn; another tune
const FIRST = 7;
const BAR = 8; // steps
const NAMED = [0, 2, 4]; // steps of the scale that are named where there is no room for all

const tell = (node, text) => node.textContent !== text && (node.textContent = text);

export function create(app) {
  let [tune, learner, phase, begun, samples, heard] = [app.kept.tune ?? madeUp(FIRST), null, "compose", 0, [], null];
  let [painting, cursor, at, since, guest] = [null, 0, 0, 0, null];
  const grid = sheet(app.t("train.sees"), paint, app.t("train.tune"));
  const course = sheet(app.t("train.loss"), null, app.t("memory.loss"));
  const title = course.node.querySelector("figcaption");
  const said = el("p", "telling");
  title.after(said);
  const keys = struck(Array.from({ length: TUNE.pitches }, (_, sign) => signName(app, sign)), "keys many", write);
  const held = button(signName(app, TUNE.hold), () => write(TUNE.hold), { why: app.t("train.hold.why") });
  const rest = button(signName(app, TUNE.rest), () => write(TUNE.rest), { why: app.t("train.rest.why") });
  const learn = button(app.t("train.learn"), () => teach(), { strong: true, why: app.t("train.learn.why") });
  const own = button(app.t("train.clear"), () => set(new Array(TUNE.steps).fill(TUNE.rest)));
  const other = button(app.t("train.other"), () => set(madeUp(1 + (Math.floor(performance.now()) % 1000))));
  const listen = button(app.t("train.listen"), () => play(tune, "yours"));
  const moments = Array.from({ length: SAMPLES }, (_, k) => button(app.t("train.sample", { number: k + 1 }), () => play(samples[k].signs, "sample"), { why: app.t("train.sample.why", { number: k + 1 }) }));
  const on = button(app.t("train.on"), () => goOn(true), { why: app.t("train.on.why") });
  const join = button(app.t("train.join"), () => (guest ? part() : visit()), { pressed: false, why: app.t("train.join.why") });
  allow();

  function set(next) {
    part();
    if (learner) app.say("train.yet"); // or what was said of the one before would stand there
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
    if (samples.length < SAMPLES) app.say("train.sampled", { number: samples.length, nats: learner.losses[learner.losses.length - 1].toFixed(2) });
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

  function study(now) {
    const wanted = Math.floor(PACE[1] * (now - begun) ** PACE[0]) + 1;
    for (let k = 0; k < 24 && !learner.known && learner.losses.length < Math.min(wanted, TUNE.most); k++) learner.step();
    if (now - begun >= SAMPLES_S[samples.length]) sample();
    if (!learner.known && learner.losses.length < TUNE.most) return;
    while (samples.length < SAMPLES) sample();
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
    tell(title, guest ? app.t(guest.live ? "train.inJam" : "train.inBand") : app.t("memory.loss"));
    tell(said, learner ? app.t("train.state", { steps: learner.losses.length, nats: nats?.toFixed(2) ?? "–" }) : app.t("train.yet"));
    drawGrid(grid.fit(), grid.width, grid.height);
    if (guest) drawGuest(course.fit(), course.width, course.height);
    else drawChart(course.fit(), course.width, course.height);
  }

  function drawGrid(pen, width, height) {
    const [left, top] = [34 * scale(), 22 * scale()];
    box = new Frame(left, top, width - left - 10, height - top - 10, [0, TUNE.steps], [0, TUNE.pitches]);
    const [w, h] = [box.width / TUNE.steps, box.height / TUNE.pitches];
    for (let k = 0; k <= TUNE.steps; k += 4) {
      pen.fillStyle = k % BAR ? palette.line : "#33404f";
      pen.fillRect(box.px(k), box.y, 1, box.height);
      if (k % BAR || k === TUNE.steps) continue;
      const name = app.t("train.bar", { bar: k / BAR + 1 });
      words(pen, wide(pen, name, 12) < BAR * w - 8 ? name : String(k / BAR + 1), box.px(k) + 3, top / 2 + 1, { size: 12 });
    }
    for (let k = 0; k <= TUNE.pitches; k++) {
      pen.fillStyle = palette.line;
      pen.fillRect(box.x, box.py(k), box.width, 1);
      if (k < TUNE.pitches && (h >= 13 * scale() || NAMED.includes(k % 7))) words(pen, signName(app, k), box.x - 6, box.py(k + 0.5), { size: 12, align: "right" });
    }
    grid.spot(box.x, box.y, box.width, box.height, (x, y) => {
      const [column, high] = box.at(x, y).map(Math.floor);
      return app.t("train.cell", { bar: Math.floor(column / BAR) + 1, note: signName(app, Math.min(Math.max(high, 0), TUNE.pitches - 1)) });
    }, null, "crosshair");
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
    const right = 10 * Math.ceil(Math.max(STEPS, learner?.losses.length ?? 0) / 10 + 1);
    const frame = chart(pen, 4, 4, width - 10, height - 8, { across: app.t("train.heard", { steps: right }), most: 3, count: right });
    if (!learner) return;
    if (learner.losses.length > 1) curve(pen, frame, learner.losses, palette.network, 2.5);
    samples.forEach(({ at: step, signs }, k) => {
      const [x, y] = [frame.px(step), frame.y + 12 * scale()];
      line(pen, [[x, y], [x, frame.y + frame.height]], "#33404f", 1);
      dot(pen, x, y, 9 * scale(), palette.panel, palette.text, 1.5);
      words(pen, String(k + 1), x, y + 0.5, { size: 12, align: "center", colour: palette.text, bold: true });
      course.spotAround(x, y, 12 * scale(), app.t("train.sample.why", { number: k + 1 }), () => play(signs, "sample"));
    });
  }

  /** What the band plays, and in it, in amber, what the small network plays. */
  function drawGuest(pen, width, height) {
    const frame = new Frame(10, 10, width - 20, height - 20, [0, guest.seen - 1], [28, 98]);
    for (const { track, pitch, step, yours, level } of guest.notes) {
      pen.fillStyle = yours ? palette.player : trackColour({ ...guest.tracks[track], index: track });
      pen.fillRect(frame.px(step - guest.step + guest.seen - 1), frame.py(pitch), Math.max(frame.width / 70, 2), yours ? 6 : 2 + 3 * level);
    }
  }

  return {
    nodes: [row(grid.node), row(course.node), keys.node, group("chips", held, rest, own, other, listen), group("chips", learn, ...moments, on, join)],
    frame,
    legend: [["block", palette.player, app.t("train.is.yours")], ["block", palette.network, app.t("train.is.its")], ["ring", palette.text, app.t("train.is.sample")], ...instruments(app)],
    leave: part,
  };
}
