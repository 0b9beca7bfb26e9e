// 4. How it makes music: one key's way: a row of zeros with a one, the cells, probabilities, lots. Temperature. Each stage is heard.

import { palette, shade } from "../../lib/colour.js";
import { Chance, TUNE, TuneLearner, madeUp, oneHot, softmax } from "../../lib/nn.js";
import { arrow, bead, box, dot, line, meaning, number, scale, words } from "../draw.js";
import { button, group, press, row, sheet, slider, struck } from "../parts.js";
import { pitchOf, signName } from "../tune.js";

const STAGE_S = 0.5;
const NOTE_S = 0.18; // with nothing but the notes
const STAGES = ["given", "cells", "beliefs", "lots"];
const SEED = 2;
const PATIENCE = 4; // times it is taught a picture
const ENOUGH = 0.6; // nats: it knows the tune, but is not sure of it

export function create(app) {
  const learner = new TuneLearner(madeUp(SEED), SEED);
  const chance = new Chance(8);
  let [temperature, going, fast, stage, since, given, state] = [1, "still", false, 0, 0, TUNE.rest, null];
  let [done, beliefs, lot, drawn, history, draws] = [null, null, 0, TUNE.rest, [], new Map()];
  const learned = () => learner.losses[learner.losses.length - 1] < ENOUGH || learner.losses.length >= TUNE.most;
  const picture = sheet(app.t("music.sees"), null, app.t("music.way"));
  picture.node.classList.add("tall");
  const heat = slider(app.t("music.temperature"), { min: 0.1, max: 2, value: 1, why: app.t("music.temperature.why") }, (value) => {
    temperature = value;
    draws.clear();
    think();
  });
  const keys = struck(Array.from({ length: TUNE.pitches }, (_, sign) => signName(app, sign)), "keys many", give);
  const play = button(app.t("play"), () => go(going === "on" ? "still" : "on"), { strong: true, pressed: false, why: app.t("music.play.why") });
  const notes = button(app.t("music.notes"), () => press(notes, (fast = !fast)), { pressed: false, why: app.t("music.notes.why") });
  const next = button(app.t("music.step"), () => {
    go("still");
    advance();
  }, { why: app.t("music.step.why") });
  const again = button(app.t("music.again"), () => {
    go("still");
    if (stage < 3) {
      stage = 2;
      advance();
      return;
    }
    cast();
    heard();
  }, { why: app.t("music.again.why") });

  function go(how) {
    going = how;
    press(play, how === "on");
  }

  /** The visitor's own key goes its way, once. */
  function give(sign) {
    if (!learned()) return;
    [given, stage] = [sign, 0];
    since = performance.now() / 1000;
    draws.clear();
    think();
    heard();
    go("once");
  }

  function think() {
    done = learner.network.forward([oneHot(given, TUNE.signs)], state);
    beliefs = softmax(done.ys[0], temperature);
    cast(false);
  }

  /** Draw a lot; `counts`: it is one that the visitor sees. */
  function cast(counts = true) {
    lot = chance.number();
    drawn = beliefs.length - 1;
    for (let k = 0, sum = 0; k < beliefs.length; k++)
      if (lot < (sum += beliefs[k])) {
        drawn = k;
        break;
      }
    if (counts) draws.set(drawn, (draws.get(drawn) ?? 0) + 1);
  }

  function advance() {
    stage++;
    if (stage === 3) {
      app.happened("drawn");
      draws.set(drawn, (draws.get(drawn) ?? 0) + 1);
    }
    if (stage === 4) onward();
    heard();
  }

  /** What was drawn is what is given next. */
  function onward() {
    history = [...history, drawn].slice(-32);
    [given, state, stage] = [drawn, done.state, 0];
    draws.clear();
    if (going === "once") go("still");
    think();
  }

  /** What a stage sounds like: the key; a tick a cell, as loud as it speaks; what may come, as loud as it is likely; what was drawn. */
  function heard() {
    const { voice } = app;
    if (stage === 0 && pitchOf(given) !== null) voice.pluck(pitchOf(given), { seconds: 0.4, level: 0.5, bright: 0.6 });
    if (stage === 1) done.hs[1].forEach((h, unit) => Math.abs(h) > 0.1 && voice.tick(0.35 * Math.abs(h), 72 + 2 * unit, 0.02 * unit));
    if (stage === 2)
      beliefs.forEach((share, sign) => {
        if (share > 0.02 && pitchOf(sign) !== null) voice.pluck(pitchOf(sign), { seconds: 0.25, level: 0.7 * Math.sqrt(share), bright: 0.1, in_s: 0.02 * sign });
      });
    if (stage !== 3) return;
    if (!fast) for (let k = 0; k < 3; k++) voice.tick(0.2, 90 + k, 0.05 * k);
    if (pitchOf(drawn) !== null) voice.pluck(pitchOf(drawn), { seconds: 0.5, level: 0.6, bright: 0.4, in_s: fast ? 0 : 0.16 });
  }

  function frame(now, alone) {
    if (!learned()) {
      for (let k = 0; k < PATIENCE; k++) learner.step(); // it learns a tune of its own first, here, in sight
      think();
    } else if (going !== "still" || alone) {
      if (fast && now - since > NOTE_S) {
        since = now;
        stage = 2;
        advance(); // its note sounds ...
        onward(); // ... and is given at once
      } else if (!fast && now - since > STAGE_S) {
        since = now;
        advance();
      }
    }
    let count = 0;
    for (const times of draws.values()) count += times;
    if (!picture.changed(learner.losses.length, stage, given, drawn, lot, count, temperature, history.length, fast)) return;
    draw(picture.fit(), picture.width, picture.height);
  }

  /** Where everything lies: the four columns, and the rows of the signs. */
  function placed(width, height) {
    const narrow = width < 520;
    const top = (narrow ? 40 : 70) * scale();
    const bottom = height - 88 * scale();
    const tall = (bottom - top) / TUNE.signs;
    const [given, cells, beliefs, lots] = (narrow ? [0.15, 0.36, 0.63, 0.91] : [0.09, 0.34, 0.62, 0.91]).map((share) => share * width);
    return {
      narrow, top, bottom, tall, given, cells, beliefs, lots,
      row: (sign) => bottom - (sign + 0.5) * tall,
      gap: Math.min(46 * scale(), width * 0.055, (bottom - top) / 5),
      wide: narrow ? 16 : 36, // of a sign that is given
      bar: narrow ? 30 : 0.15 * width, // of a belief of one
      name: (narrow ? 46 : 68) * scale(), // of a belief
      half: narrow ? 13 : 30, // of the lots' ruler
    };
  }

  function draw(pen, width, height) {
    const place = placed(width, height);
    const { narrow, top, bottom } = place;
    const reached = fast ? 3 : stage;
    STAGES.forEach((name, k) => {
      const own = { align: "center", between: [6, width - 6] };
      words(pen, app.t(`music.${name}`), place[name], (narrow ? 16 : 24) * scale(), { ...own, size: narrow ? 12 : 15, colour: reached >= k ? palette.text : palette.soft, bold: reached === k });
      if (!narrow) words(pen, app.t(`music.${name}.is`), place[name], 46 * scale(), { ...own, size: 13, most: 0.26 * width });
    });
    drawGiven(pen, place);
    drawCells(pen, place, reached);
    drawBeliefs(pen, place, reached);
    drawLots(pen, place, reached);
    // What is drawn goes in again.
    const under = bottom + 16 * scale();
    const back = reached >= 3 ? palette.chosen : palette.line;
    line(pen, [[place.lots, bottom + 3], [place.lots, under], [place.given + place.wide / 2, under]], back, 2);
    arrow(pen, [place.given + place.wide / 2, under], [place.given + place.wide / 2, bottom + 2], back, 2);
    words(pen, app.t("music.goesIn"), place.cells + (place.beliefs - place.cells) / 2, under, { size: 13, align: "center", halo: palette.panel });
    drawHistory(pen, width, height);
    const nats = learner.losses[learner.losses.length - 1] ?? 0;
    if (!learned()) words(pen, app.t("music.learning", { nats: nats.toFixed(2) }), width / 2, (top + bottom) / 2, { align: "center", colour: palette.text, halo: palette.panel, most: width - 20 });
  }

  /** A row of zeros with a single one. */
  function drawGiven(pen, { narrow, given: x, wide, tall, row }) {
    for (let sign = 0; sign < TUNE.signs; sign++) {
      const own = sign === given;
      box(pen, x, row(sign) - tall * 0.38, wide, tall * 0.76, { fill: own ? palette.player : palette.line, radius: 3 });
      words(pen, signName(app, sign), x - 6, row(sign), { size: 12, align: "right", colour: own ? palette.player : palette.soft, bold: own, most: x - 8 });
      words(pen, own ? "1" : "0", x + wide / 2, row(sign), { size: 12, align: "center", colour: own ? palette.ground : palette.soft, bold: own });
      picture.spot(x - (narrow ? 40 : 60), row(sign) - tall / 2, wide + (narrow ? 40 : 60), tall, () => app.t("music.given.why", { note: signName(app, sign), value: own ? 1 : 0 }));
    }
  }

  function drawCells(pen, { narrow, cells: x, given: from, wide, gap, top, bottom, row }, reached) {
    const middle = (top + bottom) / 2;
    const h = done.hs[1];
    const at = (unit) => [x + ((unit % 4) - 1.5) * gap, middle + (Math.floor(unit / 4) - 1.5) * gap];
    for (let unit = 0; unit < TUNE.units; unit++) {
      pen.globalAlpha = 0.5;
      line(pen, [[from + wide, row(given)], at(unit)], reached >= 1 ? meaning.forward : palette.line, 1);
      pen.globalAlpha = 1;
    }
    for (let unit = 0; unit < TUNE.units; unit++) {
      dot(pen, ...at(unit), gap * 0.44, palette.panel);
      if (reached < 1) dot(pen, ...at(unit), gap * 0.42, palette.line);
      else bead(pen, ...at(unit), gap * 0.42, h[unit], { shown: gap > 34, text: number(h[unit], 1) });
      picture.spotAround(...at(unit), gap / 2, () => app.t("music.cell", { cell: unit + 1, value: number(h[unit]) }));
    }
    if (!narrow) words(pen, app.t("music.remember"), x, middle + 2.5 * gap + 6, { size: 12, align: "center", most: 6 * gap, halo: palette.panel });
  }

  function drawBeliefs(pen, { beliefs: x, bar, name, tall, cells, gap, top, bottom, row }, reached) {
    const known = reached >= 2;
    for (let sign = 0; sign < TUNE.signs; sign++) {
      const share = beliefs[sign];
      const y = row(sign);
      pen.globalAlpha = known ? 0.15 + 0.85 * Math.sqrt(share) : 0.5;
      line(pen, [[cells + 2.1 * gap, (top + bottom) / 2], [x - name, y]], known ? meaning.forward : palette.line, known ? 1 + 4 * share : 1);
      pen.globalAlpha = 1;
      box(pen, x, y - tall * 0.38, bar, tall * 0.76, { fill: palette.ground, radius: 3 });
      if (known) box(pen, x, y - tall * 0.38, Math.max(bar * share, 1), tall * 0.76, { fill: shade(palette.luts.sequential, Math.sqrt(share), 0, 1), radius: 3 });
      const text = known ? `${signName(app, sign)} ${Math.round(100 * share)} %` : signName(app, sign);
      words(pen, text, x - 6, y, { size: 12, align: "right", colour: known && share > 0.05 ? palette.text : palette.soft, most: name - 8 });
      const count = draws.get(sign) ?? 0;
      for (let k = 0; k < Math.min(count, 20) && reached === 3 && !fast; k++) dot(pen, x + 5 + 7 * k, y, 2.5, palette.chosen);
      picture.spot(x - name, y - tall / 2, name + bar, tall, () => app.t(known ? "music.belief" : "music.belief.yet", { note: signName(app, sign), share: Math.round(100 * share), count }));
    }
  }

  /** All beliefs end to end, and where the lot fell. */
  function drawLots(pen, { lots: x, half, top, bottom, beliefs: from, bar, row, narrow }, reached) {
    let y = bottom;
    box(pen, x - half, top, 2 * half, bottom - top, { fill: palette.ground, radius: 3 });
    if (reached < 2) return;
    beliefs.forEach((share, sign) => {
      const own = share * (bottom - top);
      const mine = reached >= 3 && sign === drawn;
      pen.globalAlpha = mine ? 1 : 0.15 + 0.5 * share;
      line(pen, [[from + bar, row(sign)], [x - half, y - own / 2]], mine ? palette.chosen : meaning.forward, mine ? 2 : 1);
      pen.globalAlpha = 1;
      pen.fillStyle = mine ? palette.chosen : sign % 2 ? "#2b3644" : palette.line;
      pen.fillRect(x - half, y - own, 2 * half, Math.max(own - 1, 0.5));
      if (own > 13) words(pen, signName(app, sign), x, y - own / 2, { size: 12, align: "center", colour: mine ? palette.ground : palette.text, bold: mine, most: 2 * half - 4 });
      y -= own;
    });
    if (reached < 3) return;
    const at = bottom - lot * (bottom - top);
    line(pen, [[x - half - 8, at], [x + half + 8, at]], palette.text, 3);
    words(pen, lot.toFixed(2), x - half - (narrow ? 8 : 12), at, { size: 12, align: "right", colour: palette.text, halo: palette.panel });
    picture.spot(x - half, top, 2 * half, bottom - top, () => app.t("music.lot", { lot: lot.toFixed(2), note: signName(app, drawn) }));
  }

  /** What was drawn so far: time to the right, pitch upwards. */
  function drawHistory(pen, width, height) {
    const high = 40 * scale();
    words(pen, app.t("music.history"), 8, height - high - 12 * scale(), { size: 12 });
    const step = (width - 12) / 32;
    box(pen, 6, height - high - 4, width - 12, high, { fill: palette.ground, radius: 3 });
    history.forEach((sign, k) => {
      if (sign >= TUNE.pitches) return;
      pen.fillStyle = palette.network;
      pen.fillRect(6 + k * step + 1, height - 12 - (sign / TUNE.pitches) * (high - 10), step - 2, 5);
    });
  }

  think();
  const legend = [
    ["block", meaning.you, app.t("music.is.given")],
    ["dot", meaning.yes, app.t("inside.yes")],
    ["dot", meaning.no, app.t("inside.no")],
    ["block", palette.chosen, app.t("music.is.drawn")],
  ];
  return { nodes: [row(picture.node), keys.node, heat.node, group("chips", play, next, again, notes)], frame, legend };
}
