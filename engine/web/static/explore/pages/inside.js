// 5. Look inside: the network that plays now. Find a neuron that likes the downbeat; silence one, or a layer; untrained beside.

import { palette, shade, trackColour } from "../../lib/colour.js";
import { Frame, curve, line, sides, words } from "../draw.js";
import { button, group, press, row, sheet } from "../parts.js";
import { BPM, openStage, sound } from "../stage.js";

const REMEMBERED = 256; // steps
const LIKES = 2; // spreads by which a mean at the downbeat lies beside the others
const COLUMNS = 30;

export function create(app) {
  let [card, layers, steps, begun, status] = [null, 0, [], false, "opening"];
  let [chosen, untrained, playing, cold, silenced] = [null, false, true, null, []];
  let heard = [];
  const stage = openStage((message) => {
    if (message.what === "open") {
      card = message.card;
      status = "open";
    } else if (message.what === "fault") {
      status = "fault";
      app.say("key.fault", { reason: message.reason });
    } else take(message);
  });
  let cells = { size: 8, x: 0, y: 0, gap: 0 };
  const picture = sheet(app.t("inside.sees"), (x, y, kind) => kind === "down" && choose(x, y));
  const one = sheet(app.t("inside.one"));
  const quiet = button(app.t("inside.silence"), () => chosen && hush([chosen.layer, chosen.unit]));
  const quietLayer = button(app.t("inside.layer"), () => chosen && hush([chosen.layer, -1]));
  const all = button(app.t("inside.all"), () => hush(null));
  const mind = button(app.t("inside.untrained"), () => {
    untrained = !untrained;
    press(mind, untrained);
    steps = [];
    stage.send("mind", { untrained, seed: 1 });
  }, { pressed: false });
  const pause = button(app.t("pause"), () => {
    playing = !playing;
    press(pause, !playing);
    stage.send(playing ? "start" : "stop", { bpm: BPM });
  }, { pressed: false });

  function hush(what) {
    silenced = what ? [...silenced, what] : [];
    stage.send("silence", { units: silenced });
    app.say(what ? "inside.silenced" : "inside.whole", { layer: what ? what[0] + 1 : "", unit: what && what[1] >= 0 ? what[1] + 1 : "" });
  }

  function take(message) {
    layers = message.h.length;
    steps.push({ step: message.step, h: message.h });
    if (steps.length > REMEMBERED) steps.shift();
    sound(app.voice, card.tracks, message.begun);
    heard = [...heard.slice(-400), ...message.begun.map((note) => ({ ...note, step: message.step }))];
    if (!chosen) return;
    const value = message.h[chosen.layer][chosen.unit];
    if (value > 0.4) app.voice.tick(0.15);
  }

  function choose(x, y) {
    const layer = Math.floor((y - cells.y) / (cells.tall + cells.gap));
    const inner = y - cells.y - layer * (cells.tall + cells.gap);
    const unit = Math.floor(inner / cells.size) * COLUMNS + Math.floor((x - cells.x) / cells.size);
    if (!steps.length || layer < 0 || layer >= layers || unit < 0 || unit >= steps[0].h[layer].length) return;
    chosen = { layer, unit };
    const effect = liking(layer, unit);
    const before = cold;
    cold = effect;
    if (effect >= LIKES) app.happened("found");
    app.say(effect >= LIKES ? "inside.hot" : before !== null && effect > before ? "inside.warmer" : "inside.colder", { layer: layer + 1, unit: unit + 1, effect: effect.toFixed(1) });
  }

  /** How far a unit's mean at the first step of a bar lies from its mean elsewhere, in its own spread. */
  function liking(layer, unit) {
    const bar = card.steps_per_beat * card.beats_per_bar;
    const [on, off] = [[], []];
    for (const { step, h } of steps) (step % bar === 0 ? on : off).push(h[layer][unit]);
    if (on.length < 3) return 0;
    const mean = (list) => list.reduce((sum, v) => sum + v, 0) / list.length;
    const [a, b] = [mean(on), mean(off)];
    const spread = Math.sqrt(mean(off.map((v) => (v - b) ** 2)));
    return Math.abs(a - b) / Math.max(spread, 1e-3);
  }

  let looked = 0;
  function frame(now, alone) {
    if (status === "open" && !begun) {
      begun = true;
      stage.send("start", { bpm: BPM });
    }
    if (alone && steps.length > 60 && now - looked > 6) {
      looked = now;
      best();
    }
    draw(picture.fit(), picture.width, picture.height);
    drawOne(one.fit(), one.width, one.height);
  }

  /** With nobody there, the page looks for the unit that likes the downbeat most. */
  function best() {
    let most = -1;
    for (let layer = 0; layer < layers; layer++)
      for (let unit = 0; unit < steps[0].h[layer].length; unit++) {
        const effect = liking(layer, unit);
        if (effect > most) [most, chosen] = [effect, { layer, unit }];
      }
  }

  function draw(pen, width, height) {
    const now = steps[steps.length - 1];
    if (!now) {
      words(pen, app.t("key.opening"), width / 2, height / 2, { size: 18, align: "center" });
      return;
    }
    const rows = Math.ceil(now.h[0].length / COLUMNS);
    const gap = 24;
    const size = Math.max(Math.min((width - 16) / COLUMNS, (height - layers * gap) / (rows * layers)), 4);
    cells = { size, x: (width - size * COLUMNS) / 2, y: gap, gap, tall: rows * size };
    now.h.forEach((values, layer) => {
      const top = cells.y + layer * (cells.tall + gap);
      words(pen, app.t("inside.name", { layer: layer + 1 }), cells.x, top - 10, { size: 13 });
      values.forEach((value, unit) => {
        pen.fillStyle = shade(palette.luts.diverging, value, -1, 1);
        pen.fillRect(cells.x + (unit % COLUMNS) * size, top + Math.floor(unit / COLUMNS) * size, size - 1, size - 1);
      });
      for (const [l, u] of silenced) {
        if (l !== layer) continue;
        pen.strokeStyle = palette.chosen;
        pen.lineWidth = 2;
        if (u < 0) pen.strokeRect(cells.x, top, size * COLUMNS, cells.tall);
        else pen.strokeRect(cells.x + (u % COLUMNS) * size, top + Math.floor(u / COLUMNS) * size, size, size);
      }
    });
    if (!chosen) return;
    const [x, y] = [cells.x + (chosen.unit % COLUMNS) * size, cells.y + chosen.layer * (cells.tall + gap) + Math.floor(chosen.unit / COLUMNS) * size];
    pen.strokeStyle = palette.text;
    pen.lineWidth = 2;
    pen.strokeRect(x - 2, y - 2, size + 3, size + 3);
  }

  function drawOne(pen, width, height) {
    const seen = steps.slice(-64);
    const box = new Frame(10, 30, width - 20, height * 0.5, [0, 63], [-1, 1]);
    sides(pen, box, chosen ? app.t("inside.chosen", { layer: chosen.layer + 1, unit: chosen.unit + 1 }) : app.t("inside.choose"));
    if (!card) return;
    const bar = card.steps_per_beat * card.beats_per_bar;
    seen.forEach(({ step }, k) => step % bar === 0 && line(pen, [[box.px(k), box.y], [box.px(k), box.y + box.height]], palette.player, 1));
    if (chosen && seen.length > 1) curve(pen, box, seen.map(({ h }) => h[chosen.layer][chosen.unit]), palette.network, 2.5);
    if (chosen) words(pen, app.t("inside.effect", { effect: liking(chosen.layer, chosen.unit).toFixed(1) }), 14, 14, { colour: palette.text });
    const [base, first] = [height - 12, seen[0]?.step ?? 0];
    for (const { track, pitch, step, level } of heard) {
      if (step < first) continue;
      pen.fillStyle = trackColour({ ...card.tracks[track], index: track });
      pen.fillRect(box.px(step - first), base - ((pitch - 28) / 70) * height * 0.3, Math.max(box.width / 70, 2), 2 + 3 * level);
    }
  }

  return { nodes: [row(picture.node, one.node), group("chips", quiet, quietLayer, all, mind, pause)], frame, leave: () => stage.close() };
}
