// 4. How it makes music: one note's way: a row of zeros with a one, the cells, probabilities, lots. Temperature.

import { palette, shade } from "../../lib/colour.js";
import { Chance, TUNE, TuneLearner, madeUp, oneHot, softmax } from "../../lib/nn.js";
import { dot, line, words } from "../draw.js";
import { button, group, press, row, sheet, slider, noteName } from "../parts.js";

const FIRST = 60;
const STAGE_S = 0.5;
const STAGES = ["given", "cells", "beliefs", "lots"];
const SEED = 2;

/** Name of a sign: a note, held on, a rest. */
export const signName = (app, sign) => (sign === TUNE.hold ? app.t("sign.hold") : sign === TUNE.rest ? app.t("sign.rest") : noteName(FIRST + sign));

export function create(app) {
  const learner = new TuneLearner(madeUp(SEED), SEED);
  const chance = new Chance(8);
  let [temperature, playing, stage, since, given, state] = [1, false, 0, 0, TUNE.rest, null];
  let [done, beliefs, lot, drawn, history] = [null, null, 0, TUNE.rest, []];
  const picture = sheet(app.t("music.sees"));
  const heat = slider(app.t("music.temperature"), { min: 0.1, max: 2, value: 1 }, (value) => (temperature = value));
  const play = button(app.t("play"), () => press(play, (playing = !playing)), { strong: true, pressed: false });
  const next = button(app.t("music.step"), () => {
    playing = false;
    press(play, false);
    advance();
  });

  function think() {
    done = learner.network.forward([oneHot(given, TUNE.signs)], state);
    beliefs = softmax(done.ys[0], temperature);
    lot = chance.number();
    drawn = beliefs.length - 1;
    for (let k = 0, sum = 0; k < beliefs.length; k++) if (lot < (sum += beliefs[k])) { drawn = k; break; }
  }

  function advance() {
    stage++;
    if (stage === 3) app.happened("drawn");
    if (stage === 3 && drawn < TUNE.pitches) app.voice.pluck(FIRST + drawn, { seconds: 0.5, level: 0.6, bright: 0.4 });
    if (stage < 4) return;
    history.push(drawn);
    if (history.length > 32) history.shift();
    [given, state, stage] = [drawn, done.state, 0];
    think();
  }

  function frame(now, alone) {
    if (!learner.known && learner.losses.length < TUNE.most) {
      for (let k = 0; k < 4; k++) learner.step(); // it learns a tune of its own first, here, in sight
      think();
    } else if ((playing || alone) && now - since > STAGE_S / (stage === 3 ? 1 : 2)) {
      since = now;
      advance();
    }
    draw(picture.fit(), picture.width, picture.height);
  }

  function draw(pen, width, height) {
    if (!learner.known) words(pen, app.t("music.learning", { nats: (learner.losses[learner.losses.length - 1] ?? 0).toFixed(2) }), width / 2, 18, { align: "center" });
    const column = (k) => ((k + 0.5) / 4) * width;
    STAGES.forEach((name, k) => words(pen, app.t(`music.${name}`), column(k), 42, { align: "center", colour: stage >= k ? palette.text : palette.faint, bold: stage === k }));
    const [top, bottom] = [64, height - 70];
    const tall = (bottom - top) / TUNE.signs;
    for (let sign = 0; sign < TUNE.signs; sign++) {
      const y = bottom - (sign + 0.5) * tall;
      pen.fillStyle = sign === given ? palette.player : palette.line;
      pen.fillRect(column(0) - 26, y - tall * 0.35, 52, tall * 0.7);
      words(pen, `${signName(app, sign)} ${sign === given ? 1 : 0}`, column(0) - 34, y, { size: 12, align: "right", colour: sign === given ? palette.player : palette.faint });
      if (stage >= 2) {
        pen.fillStyle = shade(palette.luts.sequential, Math.sqrt(beliefs[sign]), 0, 1);
        pen.fillRect(column(2) - 50, y - tall * 0.35, 100 * beliefs[sign], tall * 0.7);
        words(pen, `${signName(app, sign)} ${Math.round(100 * beliefs[sign])} %`, column(2) - 56, y, { size: 12, align: "right", colour: beliefs[sign] > 0.05 ? palette.text : palette.faint });
      }
    }
    const h = done.hs[1];
    const across = 4;
    for (let unit = 0; unit < TUNE.units; unit++) {
      const [x, y] = [column(1) + ((unit % across) - 1.5) * 26, (top + bottom) / 2 + (Math.floor(unit / across) - 1.5) * 26];
      dot(pen, x, y, 11, stage >= 1 ? shade(palette.luts.diverging, h[unit], -1, 1) : palette.line);
    }
    if (stage >= 3) ruler(pen, column(3), top, bottom);
    const gap = width / 32;
    history.forEach((sign, k) => {
      if (sign >= TUNE.pitches) return;
      pen.fillStyle = palette.network;
      pen.fillRect(k * gap + 1, height - 12 - (sign / TUNE.pitches) * 42, gap - 2, 6);
    });
  }

  /** All beliefs end to end, and where the lot fell. */
  function ruler(pen, x, top, bottom) {
    let y = bottom;
    beliefs.forEach((share, sign) => {
      const own = share * (bottom - top);
      pen.fillStyle = sign === drawn ? palette.chosen : sign % 2 ? palette.line : "#161d26";
      pen.fillRect(x - 24, y - own, 48, own);
      if (own > 13) words(pen, signName(app, sign), x + 30, y - own / 2, { size: 12 });
      y -= own;
    });
    const at = bottom - lot * (bottom - top);
    line(pen, [[x - 46, at], [x - 26, at]], palette.text, 3);
    words(pen, lot.toFixed(2), x - 50, at, { size: 13, align: "right", colour: palette.text });
  }

  think();
  return { nodes: [row(picture.node), heat.node, group("chips", play, next)], frame };
}
