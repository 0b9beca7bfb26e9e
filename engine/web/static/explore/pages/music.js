// 4. How it makes music: one key's way: a row of zeros with a one, the cells, probabilities, lots. Temperature. Each stage is heard.

import { palette, shade } from "../../lib/colour.js";
import { Chance, TUNE, TuneLearner, madeUp, oneHot, softmax } from "../../lib/nn.js";
import { dot, line, meaning, words } from "../draw.js";
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
    draw(picture.fit(), picture.width, picture.height);
  }

  function draw(pen, width, height) {
    const nats = learner.losses[learner.losses.length - 1] ?? 0;
    if (!learned()) words(pen, app.t("music.learning", { nats: nats.toFixed(2) }), width / 2, 14, { align: "center" });
    const reached = fast ? 3 : stage;
    const narrow = width < 520;
    const size = narrow ? 10 : 12;
    const column = (k) => [0.15, 0.4, 0.68, 0.9][k] * width;
    STAGES.forEach((name, k) =>
      words(pen, app.t(`music.${name}`), column(k), 36, { size: narrow ? 12 : 14, align: "center", colour: reached >= k ? palette.text : palette.faint, bold: reached === k }),
    );
    const [top, bottom] = [56, height - 62];
    const tall = (bottom - top) / TUNE.signs;
    const [wide, bar] = [narrow ? 18 : 40, narrow ? 34 : 90];
    for (let sign = 0; sign < TUNE.signs; sign++) {
      const y = bottom - (sign + 0.5) * tall;
      const own = sign === given;
      pen.fillStyle = own ? palette.player : palette.line;
      pen.fillRect(column(0), y - tall * 0.35, wide, tall * 0.7);
      words(pen, `${signName(app, sign)} ${own ? 1 : 0}`, column(0) - 6, y, { size, align: "right", colour: own ? palette.player : palette.faint });
      if (reached < 2) continue;
      pen.fillStyle = shade(palette.luts.sequential, Math.sqrt(beliefs[sign]), 0, 1);
      pen.fillRect(column(2) - bar / 3, y - tall * 0.35, Math.max(bar * beliefs[sign], 1), tall * 0.7);
      words(pen, `${signName(app, sign)} ${Math.round(100 * beliefs[sign])} %`, column(2) - bar / 3 - 6, y, { size, align: "right", colour: beliefs[sign] > 0.05 ? palette.text : palette.faint });
      for (let k = 0; k < Math.min(draws.get(sign) ?? 0, 20) && reached === 3 && !fast; k++) dot(pen, column(2) - bar / 3 + 4 + 7 * k, y, 2.5, palette.chosen);
    }
    const h = done.hs[1];
    const gap = Math.min(26, width * 0.055);
    for (let unit = 0; unit < TUNE.units; unit++) {
      const [x, y] = [column(1) + ((unit % 4) - 1.5) * gap, (top + bottom) / 2 + (Math.floor(unit / 4) - 1.5) * gap];
      dot(pen, x, y, gap * 0.42, reached >= 1 ? shade(palette.luts.diverging, h[unit], -1, 1) : palette.line);
    }
    if (reached >= 3) ruler(pen, column(3), top, bottom, narrow ? 14 : 24);
    const step = width / 32;
    history.forEach((sign, k) => {
      if (sign >= TUNE.pitches) return;
      pen.fillStyle = palette.network;
      pen.fillRect(k * step + 1, height - 12 - (sign / TUNE.pitches) * 42, step - 2, 6);
    });
  }

  /** All beliefs end to end, and where the lot fell. */
  function ruler(pen, x, top, bottom, half) {
    let y = bottom;
    beliefs.forEach((share, sign) => {
      const own = share * (bottom - top);
      pen.fillStyle = sign === drawn ? palette.chosen : sign % 2 ? palette.line : "#161d26";
      pen.fillRect(x - half, y - own, 2 * half, own);
      if (own > 13) words(pen, signName(app, sign), x, y - own / 2, { size: 12, align: "center", colour: palette.text });
      y -= own;
    });
    const at = bottom - lot * (bottom - top);
    line(pen, [[x - half - 10, at], [x + half + 4, at]], palette.text, 3);
    words(pen, lot.toFixed(2), x - half - 12, at, { size: 12, align: "right", colour: palette.text });
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
