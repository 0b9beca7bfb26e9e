// 5. Look inside: the network that plays now, the jam's where a jam serves this page. Find a cell that likes the downbeat; silence
// one, or a layer; hear beside it one that has learned nothing.

import { palette, shade, trackColour } from "../../lib/colour.js";
import { LIKES, Remembered } from "../../lib/liking.js";
import { Frame, box, curve, line, meaning, number, scale, wide, words } from "../draw.js";
import { openJam } from "../jam.js";
import { button, group, press, row, sheet, slider } from "../parts.js";
import { BPM, instruments, openStage, saysFault, sound, soundsIn } from "../stage.js";

const COLUMNS = 30;
const SEEN = 64; // steps drawn of the chosen cell
const HOTTEST = 4; // effect at the top of the thermometer
const WAITS_S = 6; // with nobody there, between two looks for the warmest cell

export function create(app) {
  let [card, status, begun, playing, live] = [null, "opening", false, true, app.served.jam];
  let [chosen, cold, silenced, hearsUntrained] = [null, null, [], false];
  let seen = [null, null]; // what the network said, and the untrained one beside it
  let notes = [[], []];
  let cells = { size: 8, x: 0, y: 0, gap: 0, tall: 8 };
  let source = open();

  const picture = sheet(app.t("inside.sees"), (x, y, kind) => kind === "down" && pick(x, y), app.t("inside.cells"));
  picture.node.classList.add("tall");
  const one = sheet(app.t("inside.one"), null, app.t("inside.chosenCell"));
  const layerOf = slider(app.t("inside.whichLayer"), { min: 1, max: 6, step: 1, value: 1, shown: String, why: app.t("inside.which.why") }, (value) => choose(value - 1, chosen?.unit ?? 0));
  const unitOf = slider(app.t("inside.whichUnit"), { min: 1, max: 150, step: 1, value: 1, shown: String, why: app.t("inside.which.why") }, (value) => choose(chosen?.layer ?? 0, value - 1));
  const hint = button(app.t("inside.hint"), () => {
    const [warmest] = now()?.best() ?? [];
    app.say(...(warmest ? ["inside.hinted", { layer: warmest.layer + 1 }] : waits()));
  }, { why: app.t("inside.hint.why") });
  const quiet = button(app.t("inside.silence"), () => chosen && hush([chosen.layer, chosen.unit]), { why: app.t("inside.silence.why") });
  const quietLayer = button(app.t("inside.layer"), () => hush([chosen?.layer ?? 0, -1]), { why: app.t("inside.layer.why") });
  const all = button(app.t("inside.all"), () => hush(null), { why: app.t("inside.all.why") });
  const mind = button(app.t("inside.untrained"), () => compare(!hearsUntrained), { pressed: false, why: app.t("inside.untrained.why") });
  const pause = button(app.t("pause"), () => {
    if (live) return own();
    playing = !playing;
    press(pause, !playing);
    source.send(playing ? "start" : "stop", { bpm: BPM });
  }, { pressed: false });
  const stage = button(app.t("inside.live"), () => (live ? own() : listen()), { pressed: live, why: app.t("inside.live.why") });

  function open() {
    [status, begun] = ["opening", false];
    [seen, notes, silenced, hearsUntrained] = [[null, null], [[], []], [], false];
    return live ? openJam(told) : openStage(told, { ort: app.query.has("ort") });
  }

  function told(message) {
    if (message.what === "fault") status = "fault";
    if (saysFault(app, message)) return;
    if (message.what === "open") {
      card = message.card;
      status = "open";
      const bar = card.steps_per_beat * card.beats_per_bar;
      seen = [new Remembered(bar), new Remembered(bar)];
      notes = [[], []];
    } else if (message.what === "notice") app.say("inside.notice", { reason: message.reason });
    else if (message.what === "gone") app.say("inside.gone");
    else take(message);
  }

  /** To the network in the visitor's own browser: what he silences there nobody else misses. */
  function own() {
    if (!live) return;
    source.close();
    live = false;
    press(stage, false);
    source = open();
    app.say("inside.own");
  }

  function listen() {
    source.close();
    live = true;
    playing = true;
    press(stage, true);
    press(mind, false);
    source = open();
  }

  const now = () => seen[hearsUntrained ? 1 : 0];
  const waits = () => ["inside.wait", { bars: Math.max(3 - (now()?.bars ?? 0), 1) }];

  function hush(what) {
    own();
    silenced = what ? [...silenced, what] : [];
    source.send("silence", { units: silenced });
    if (!what) app.say("inside.whole");
    else if (what[1] < 0) app.say("inside.silencedLayer", { layer: what[0] + 1 });
    else app.say("inside.silenced", { layer: what[0] + 1, unit: what[1] + 1 });
  }

  function compare(untrained) {
    own();
    hearsUntrained = untrained;
    press(mind, untrained);
    if (untrained && !seen[1].last) source.send("beside", { on: true, seed: 1 });
    app.say(untrained ? "inside.hearsUntrained" : "inside.hearsTrained");
  }

  function take({ step, h, begun: heard, beside, at, past = false }) {
    [{ h, begun: heard }, beside].forEach((band, which) => {
      if (!band) return;
      seen[which].push(step, band.h);
      notes[which].push(...band.begun.map((note) => ({ ...note, step })));
      notes[which] = notes[which].filter((note) => note.step > step - SEEN && note.step <= step);
    });
    if (past || !now().last) return;
    const in_s = live ? 0 : soundsIn(at);
    if (!live) sound(app.voice, card.tracks, hearsUntrained ? (beside?.begun ?? []) : heard, in_s);
    if (chosen && now().fires(chosen.layer, chosen.unit)) app.voice.tick(0.3, 96, in_s);
  }

  function pick(x, y) {
    const layer = Math.floor((y - cells.y) / (cells.tall + cells.gap));
    const inner = y - cells.y - layer * (cells.tall + cells.gap);
    const column = Math.floor((x - cells.x) / cells.size);
    if (column >= 0 && column < COLUMNS && inner >= 0) choose(layer, Math.floor(inner / cells.size) * COLUMNS + column);
  }

  function show(layer, unit) {
    chosen = { layer, unit };
    layerOf.set(layer + 1);
    unitOf.set(unit + 1);
  }

  function choose(layer, unit) {
    const values = now()?.last?.h[layer];
    if (!values || unit < 0 || unit >= values.length) return;
    show(layer, unit);
    const effect = now().liking(layer, unit);
    if (effect === null) {
      app.say(...waits());
      return;
    }
    if (effect >= LIKES) app.happened("found");
    const word = effect >= LIKES ? "inside.hot" : cold !== null && effect > cold ? "inside.warmer" : "inside.colder";
    app.say(word, { layer: layer + 1, unit: unit + 1, effect: effect.toFixed(1) });
    cold = effect;
  }

  let looked = 0;
  function frame(at, alone) {
    if (status === "open" && !begun) {
      begun = true;
      if (!live) source.send("start", { bpm: BPM });
    }
    if (alone && at - looked > WAITS_S && now()?.bars >= 3) {
      looked = at;
      const [warmest] = now()?.best() ?? [];
      show(warmest.layer, warmest.unit);
    }
    const shows = [status, live, seen[0]?.last?.step, seen[1]?.last?.step, hearsUntrained, chosen?.layer, chosen?.unit, silenced.join(" ")];
    if (picture.changed(...shows)) draw(picture.fit(), picture.width, picture.height);
    if (one.changed(...shows)) drawOne(one.fit(), one.width, one.height);
  }

  function draw(pen, width, height) {
    const last = now()?.last;
    if (!last) {
      words(pen, app.t(live ? "inside.opening" : "key.opening"), width / 2, height / 2, { size: 18, align: "center" });
      return;
    }
    const layers = last.h.length;
    const rows = Math.ceil(Math.max(...last.h.map((values) => values.length)) / COLUMNS);
    const gap = 24 * scale();
    const size = Math.max(Math.min((width - 16) / COLUMNS, (height - layers * gap) / (rows * layers)), 4);
    const spare = height - layers * (rows * size + gap);
    cells = { size, x: (width - size * COLUMNS) / 2, y: gap + Math.max(spare / 2, 0), gap, tall: rows * size };
    const corner = (layer, unit) => [
      cells.x + (unit % COLUMNS) * size,
      cells.y + layer * (cells.tall + gap) + Math.floor(unit / COLUMNS) * size,
    ];
    last.h.forEach((values, layer) => {
      const [left, top] = corner(layer, 0);
      words(pen, app.t("inside.name", { layer: layer + 1 }), left, top - 10 * scale(), { size: 13 });
      picture.spot(left, top, size * COLUMNS, cells.tall, (x, y) => {
        const unit = Math.floor((y - top) / size) * COLUMNS + Math.floor((x - left) / size);
        const value = now()?.last?.h[layer][unit];
        return value === undefined ? "" : app.t("inside.cell", { layer: layer + 1, unit: unit + 1, value: number(value) });
      }, null, "pointer");
      values.forEach((value, unit) => {
        const [x, y] = corner(layer, unit);
        pen.fillStyle = shade(palette.luts.diverging, value, -1, 1);
        pen.fillRect(x, y, size - 1, size - 1);
      });
    });
    for (const [layer, unit] of silenced) {
      const [x, y] = corner(layer, Math.max(unit, 0));
      pen.strokeStyle = palette.chosen;
      pen.lineWidth = 2;
      if (unit < 0) pen.strokeRect(x, y, size * COLUMNS, cells.tall);
      else pen.strokeRect(x, y, size, size);
    }
    if (!chosen) return;
    const [x, y] = corner(chosen.layer, chosen.unit);
    pen.strokeStyle = palette.text;
    pen.lineWidth = 2;
    pen.strokeRect(x - 2, y - 2, size + 3, size + 3);
  }

  function drawOne(pen, width, height) {
    const [left, text] = [34 * scale(), 16 * scale()];
    const name = chosen ? app.t("inside.chosen", { layer: chosen.layer + 1, unit: chosen.unit + 1 }) : app.t("inside.choose");
    words(pen, name, 12, text, { size: 14, bold: true, colour: palette.text });
    const frame = new Frame(left, 2 * text, width - left - 10, height * 0.36, [0, SEEN - 1], [-1, 1]);
    for (const value of [-1, 0, 1]) {
      line(pen, [[frame.x, frame.py(value)], [frame.x + frame.width, frame.py(value)]], palette.line, 1);
      words(pen, number(value, 0), frame.x - 6, frame.py(value), { size: 12, align: "right" });
    }
    const steps = now()?.last ? now().steps.slice(-SEEN) : [];
    steps.forEach(({ step }, k) => now().isDownbeat(step) && line(pen, [[frame.px(k), frame.y], [frame.px(k), frame.y + frame.height]], palette.player, 1));
    if (chosen && steps.length) curve(pen, frame, steps.map(({ h }) => h[chosen.layer][chosen.unit]), palette.network, 2.5);
    one.spot(frame.x, frame.y, frame.width, frame.height, app.t("inside.curve"));
    const below = frame.y + frame.height + 1.4 * text;
    thermometer(pen, width, below, steps.length && chosen ? now().liking(chosen.layer, chosen.unit) : null);
    if (!steps.length) return;
    const both = seen[1].last !== null;
    const top = below + text;
    const tall = (height - top - 6) / (both ? 2 : 1);
    roll(pen, notes[0], seen[0], top, tall, width, both ? "inside.trained" : "inside.notes", !hearsUntrained, both);
    if (both) roll(pen, notes[1], seen[1], top + tall, tall, width, "inside.untrained", hearsUntrained, both);
  }

  /** How much the chosen cell likes the downbeat; from the mark on it does. */
  function thermometer(pen, width, y, effect) {
    const name = app.t("inside.likes");
    words(pen, name, 12, y, { size: 13 });
    const x = 12 + wide(pen, name, 13) + 12;
    const most = width - x - 12 - 40 * scale();
    const half = 6 * scale();
    box(pen, x, y - half, most, 2 * half, { fill: palette.line, radius: 3 });
    if (effect === null) words(pen, app.t(chosen ? "inside.listens" : "inside.choose"), x + 8, y, { size: 12, most: most - 12 });
    else {
      box(pen, x, y - half, (Math.min(effect, HOTTEST) / HOTTEST) * most, 2 * half, { fill: effect >= LIKES ? palette.player : palette.soft, radius: 3 });
      words(pen, effect.toFixed(1), width - 12, y, { size: 13, align: "right", colour: palette.text, bold: true });
    }
    const mark = x + (LIKES / HOTTEST) * most;
    line(pen, [[mark, y - half - 3], [mark, y + half + 3]], palette.text, 2);
    one.spot(12, y - half - 4, width - 24, 2 * half + 8, app.t("inside.likes.why", { likes: LIKES }));
  }

  function roll(pen, played, remembered, top, tall, width, name, heard, both) {
    const steps = remembered.steps.slice(-SEEN);
    if (!steps.length) return;
    const head = 20 * scale();
    words(pen, app.t(name), 12, top + head / 2, { size: 13, colour: heard ? palette.text : palette.soft });
    if (both && heard) words(pen, app.t("inside.heard"), width - 12, top + head / 2, { size: 13, align: "right", colour: palette.network });
    const frame = new Frame(34 * scale(), top + head, width - 34 * scale() - 10, tall - head - 6, [0, SEEN - 1], [28, 98]);
    for (const { track, pitch, step, level } of played) {
      if (step < steps[0].step) continue;
      pen.globalAlpha = heard ? 1 : 0.5;
      pen.fillStyle = trackColour({ ...card.tracks[track], index: track });
      pen.fillRect(frame.px(step - steps[0].step), frame.py(pitch), Math.max(frame.width / 70, 2), 2 + 3 * level);
    }
    pen.globalAlpha = 1;
    one.spot(frame.x, top, frame.width, tall, app.t("inside.notes.why"));
  }

  return {
    nodes: [
      row(picture.node, one.node),
      group("sliders", layerOf.node, unitOf.node),
      group("chips", hint, quiet, quietLayer, all, mind, pause, ...(app.served.jam ? [stage] : [])),
    ],
    legend: [["block", meaning.yes, app.t("inside.yes")], ["block", meaning.no, app.t("inside.no")], ["line", meaning.you, app.t("inside.downbeat")], ["ring", palette.chosen, app.t("inside.isSilent")], ...instruments(app)],
    frame,
    leave: () => source.close(),
  };
}
