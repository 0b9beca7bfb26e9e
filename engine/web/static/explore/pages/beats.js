// 3b. Three beats: one recurrent neuron against a waltz, then four.

import { palette } from "../../lib/colour.js";
import { Adam, Rnn, distance } from "../../lib/nn.js";
import { Frame, curve, dot, line, sides, words } from "../draw.js";
import { button, group, press, row, sheet } from "../parts.js";

const LENGTH = 24;
const BEAT_S = 0.42;
const MOST = 300;
const WANTED = Array.from({ length: LENGTH }, (_, t) => Float64Array.of(t % 3 === 0 ? 1 : -1));
const SILENT = Array.from({ length: LENGTH }, () => Float64Array.of(1)); // all it is given: that time goes on

export function create(app) {
  let [units, seed, network, adam, losses, playing] = [1, 1, null, null, [], false];
  let [beat, since, done] = [0, 0, null];
  const picture = sheet(app.t("beats.sees"));
  const web = sheet(app.t("beats.web"));
  const play = button(app.t("play"), () => press(play, (playing = !playing)), { strong: true, pressed: false });
  const one = button(app.t("beats.one"), () => begin(1), { pressed: true });
  const four = button(app.t("beats.four"), () => begin(4), { pressed: false });

  function begin(count, next = 1) {
    [units, seed] = [count, next];
    network = new Rnn(1, units, 1, seed);
    adam = new Adam(0.02);
    losses = [];
    look();
    press(one, units === 1);
    press(four, units === 4);
  }

  function look() {
    done = network.forward(SILENT);
    return distance(done.ys, WANTED);
  }

  function learn() {
    const { loss, gradients } = look();
    losses.push(loss / LENGTH);
    adam.step(network.values, network.backward(done, gradients).gradients);
    look();
    if (right() && units === 4) app.happened("four");
  }

  const right = () => done.ys.every((y, t) => y[0] > 0 === WANTED[t][0] > 0);

  let rested = 0;
  function frame(now, alone) {
    if (playing || alone) {
      for (let k = 0; k < 3 && losses.length < MOST; k++) learn();
      if (alone && losses.length >= MOST && now - rested > 9) {
        rested = now;
        begin(units === 1 ? 4 : 1);
      }
    }
    if (now - since > BEAT_S) {
      since = now;
      beat = (beat + 1) % LENGTH;
      if (done.ys[beat][0] > 0) app.voice.drum(0, 0.8);
      else app.voice.drum(2, 0.25);
    }
    draw(picture.fit(), picture.width, picture.height);
    if (units === 1) cobweb(web.fit(), web.width, web.height);
    else traces(web.fit(), web.width, web.height);
  }

  function draw(pen, width, height) {
    const top = height * 0.56;
    const gap = (width - 20) / LENGTH;
    for (let t = 0; t < LENGTH; t++) {
      const x = 10 + (t + 0.5) * gap;
      dot(pen, x, top * 0.3, WANTED[t][0] > 0 ? gap * 0.36 : gap * 0.14, palette.player, t === beat ? palette.text : null);
      const y = done.ys[t][0];
      const good = y > 0 === WANTED[t][0] > 0;
      dot(pen, x, top * 0.72, gap * (0.12 + 0.25 * Math.min(Math.max((y + 1) / 2, 0), 1)), good ? palette.network : palette.chosen, t === beat ? palette.text : null);
    }
    words(pen, app.t("beats.wanted"), 10, top * 0.1);
    words(pen, app.t("beats.plays"), 10, top * 0.52);
    const chart = new Frame(10, top + 8, width - 20, height - top - 16, [0, MOST], [0, 0.8]);
    sides(pen, chart, app.t("beats.loss"), "0.8");
    if (losses.length > 1) curve(pen, chart, losses, palette.network, 2.5);
  }

  /** One neuron goes from what it was to what it is along one curve: a bent line, and no curve goes round in threes. */
  function cobweb(pen, width, height) {
    const side = Math.min(width, height) - 44;
    const box = new Frame((width - side) / 2, 14, side, side, [-1.05, 1.05], [-1.05, 1.05]);
    sides(pen, box, app.t("beats.next"));
    const { U, W, b } = network.values;
    const after = (h) => Math.tanh(U[0] * h + W[0] + b[0]);
    line(pen, [[box.px(-1), box.py(-1)], [box.px(1), box.py(1)]], palette.line, 1);
    line(pen, Array.from({ length: 41 }, (_, k) => -1 + k / 20).map((h) => [box.px(h), box.py(after(h))]), palette.network, 3);
    const way = [];
    for (let t = 0; t <= beat % 12; t++) {
      const [h, next] = [done.hs[t][0], done.hs[t + 1][0]];
      way.push([box.px(h), box.py(t ? h : 0)], [box.px(h), box.py(next)], [box.px(next), box.py(next)]);
    }
    line(pen, way, palette.player, 1.5);
    dot(pen, ...way[way.length - 1], 5, palette.player);
    words(pen, app.t("beats.before"), width / 2, height - 12, { align: "center" });
  }

  function traces(pen, width, height) {
    const box = new Frame(10, 14, width - 20, height - 40, [0, LENGTH - 1], [-1.1, 1.1]);
    sides(pen, box, app.t("beats.units"));
    for (let u = 0; u < units; u++) curve(pen, box, done.hs.slice(1).map((h) => h[u]), [palette.network, ...palette.others][u], 2);
    line(pen, [[box.px(beat), box.y], [box.px(beat), box.y + box.height]], palette.soft, 1);
  }

  begin(1);
  return { nodes: [row(picture.node, web.node), group("chips", play, one, four, button(app.t("layers.other"), () => begin(units, seed + 1)))], frame };
}
