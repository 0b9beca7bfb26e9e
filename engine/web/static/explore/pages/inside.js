// 5. Look inside: the network that plays now, the jam's where a jam serves this page. Find a cell that likes the downbeat; silence
// one, or a layer; hear beside it one that has learned nothing.

import { palette, shade, trackColour } from "../../lib/colour.js";
import { LIKES, Remembered } from "../../lib/liking.js";
import { Frame, curve, line, meaning, sides, words } from "../draw.js";
import { openJam } from "../jam.js";
import { button, group, press, row, sheet, slider } from "../parts.js";
import { BPM, instruments, openStage, sound, soundsIn } from "../stage.js";

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
    if (message.what === "open") {
      card = message.card;
      status = "open";
      const bar = card.steps_per_beat * card.beats_per_bar;
      seen = [new Remembered(bar), new Remembered(bar)];
      notes = [[], []];
    } else if (message.what === "fault") {
      status = "fault";
      app.say("key.fault", { reason: message.reason });
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
    draw(picture.fit(), picture.width, picture.height);
    drawOne(one.fit(), one.width, one.height);
  }

  function draw(pen, width, height) {
    const last = now()?.last;
    if (!last) {
      words(pen, app.t(live ? "inside.opening" : "key.opening"), width / 2, height / 2, { size: 18, align: "center" });
      return;
    }
    const layers = last.h.length;
    const rows = Math.ceil(Math.max(...last.h.map((values) => values.length)) / COLUMNS);
    const gap = 24;
    const size = Math.max(Math.min((width - 16) / COLUMNS, (height - layers * gap) / (rows * layers)), 4);
    cells = { size, x: (width - size * COLUMNS) / 2, y: gap, gap, tall: rows * size };
    const corner = (layer, unit) => [
      cells.x + (unit % COLUMNS) * size,
      cells.y + layer * (cells.tall + gap) + Math.floor(unit / COLUMNS) * size,
    ];
    last.h.forEach((values, layer) => {
      const [left, top] = corner(layer, 0);
      words(pen, app.t("inside.name", { layer: layer + 1 }), left, top - 10, { size: 13 });
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
    const name = chosen ? app.t("inside.chosen", { layer: chosen.layer + 1, unit: chosen.unit + 1 }) : app.t("inside.choose");
    const box = new Frame(34, 10, width - 44, height * 0.42, [0, SEEN - 1], [-1, 1]);
    sides(pen, box, name);
    if (!now()?.last) return;
    const steps = now().steps.slice(-SEEN);
    steps.forEach(({ step }, k) => now().isDownbeat(step) && line(pen, [[box.px(k), box.y], [box.px(k), box.y + box.height]], palette.player, 1));
    if (chosen) {
      curve(pen, box, steps.map(({ h }) => h[chosen.layer][chosen.unit]), palette.network, 2.5);
      thermometer(pen, box, now().liking(chosen.layer, chosen.unit));
    }
    const both = seen[1].last !== null;
    const top = box.y + box.height + 10;
    const tall = (height - top - 10) / (both ? 2 : 1);
    roll(pen, notes[0], seen[0], top, tall, width, both ? "inside.trained" : "", !hearsUntrained);
    if (both) roll(pen, notes[1], seen[1], top + tall, tall, width, "inside.untrained", hearsUntrained);
  }

  /** How much the chosen cell likes the downbeat; from the mark on it does. */
  function thermometer(pen, box, effect) {
    const height = (value) => (Math.min(value, HOTTEST) / HOTTEST) * box.height;
    pen.fillStyle = palette.line;
    pen.fillRect(12, box.y, 10, box.height);
    pen.fillStyle = effect >= LIKES ? palette.player : palette.soft;
    pen.fillRect(12, box.y + box.height - height(effect ?? 0), 10, height(effect ?? 0));
    const mark = box.y + box.height - height(LIKES);
    line(pen, [[8, mark], [26, mark]], palette.text, 2);
    const text = effect === null ? app.t("inside.listens") : app.t("inside.effect", { effect: effect.toFixed(1) });
    words(pen, text, box.x + 8, box.y + box.height - 12, { size: 13, colour: palette.text });
  }

  function roll(pen, played, remembered, top, tall, width, name, heard) {
    const steps = remembered.steps.slice(-SEEN);
    if (!steps.length) return;
    const box = new Frame(34, top, width - 44, tall - 6, [0, SEEN - 1], [28, 98]);
    for (const { track, pitch, step, level } of played) {
      if (step < steps[0].step) continue;
      pen.globalAlpha = heard ? 1 : 0.5;
      pen.fillStyle = trackColour({ ...card.tracks[track], index: track });
      pen.fillRect(box.px(step - steps[0].step), box.py(pitch), Math.max(box.width / 70, 2), 2 + 3 * level);
    }
    pen.globalAlpha = 1;
    if (name) sides(pen, box, app.t(name), heard ? app.t("inside.heard") : "");
  }

  return {
    nodes: [
      row(picture.node, one.node),
      group("chips", layerOf.node, unitOf.node, hint),
      group("chips", quiet, quietLayer, all, mind, pause, ...(app.served.jam ? [stage] : [])),
    ],
    legend: [["block", meaning.yes, app.t("inside.yes")], ["block", meaning.no, app.t("inside.no")], ["line", meaning.you, app.t("inside.downbeat")], ...instruments(app)],
    frame,
    leave: () => source.close(),
  };
}
