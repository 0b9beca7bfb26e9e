// 3a. Memory: C D E C, a recurrent network unrolled; forwards the state, backwards the gradients.

import { palette } from "../../lib/colour.js";
import { Adam, Rnn, oneHot, softmax, surprise } from "../../lib/nn.js";
import { Frame, arrow, bead, curve, sides, words } from "../draw.js";
import { button, group, press, row, sheet } from "../parts.js";

const SIGNS = ["C", "D", "E"];
const PITCHES = [60, 62, 64];
const GIVEN = [0, 1, 2, 0, 0, 1, 2, 0]; // C D E C twice: after the same C comes D, or C
const UNITS = 4;
const SEED = 2;
const STEP_S = 0.5;
const SHOWN = 5; // moments side by side

export function create(app) {
  let [network, adam, losses, playing, at, since, backwards] = [null, null, [], false, 0, 0, false];
  const xs = GIVEN.slice(0, -1).map((sign) => oneHot(sign, SIGNS.length));
  const wanted = GIVEN.slice(1);
  let [done, back] = [null, null];
  const picture = sheet(app.t("memory.sees"));
  const play = button(app.t("play"), () => press(play, (playing = !playing)), { strong: true, pressed: false });
  const step = button(app.t("memory.learn"), () => learn());
  const turn = button(app.t("memory.back"), () => {
    backwards = !backwards;
    press(turn, backwards);
    if (backwards) app.happened("unrolled");
  }, { pressed: false });
  const again = button(app.t("again"), begin);

  function begin() {
    network = new Rnn(SIGNS.length, UNITS, SIGNS.length, SEED);
    adam = new Adam(0.03);
    losses = [];
    look();
  }

  function look() {
    done = network.forward(xs);
    const { loss, gradients } = surprise(done.ys, wanted);
    back = { loss: loss / wanted.length, ...network.backward(done, gradients) };
  }

  function learn() {
    losses.push(back.loss);
    adam.step(network.values, back.gradients);
    look();
  }

  function frame(now, alone) {
    if (playing || alone) {
      if (losses.length < 150) learn();
      else if (alone && losses.length >= 150 && at === 0 && now - since > STEP_S) begin();
    }
    if (now - since > STEP_S) {
      since = now;
      at = (at + 1) % xs.length;
      app.voice.pluck(PITCHES[GIVEN[at]], { seconds: 0.4, level: 0.35 });
    }
    draw(picture.fit(), picture.width, picture.height);
  }

  function draw(pen, width, height) {
    const moments = width < 560 ? 4 : SHOWN;
    const first = Math.min(Math.max(at - 2, 0), xs.length - moments);
    const top = height * 0.72;
    const gap = width / moments;
    const radius = Math.min(gap / 9, top / 15, 20);
    for (let k = 0; k < moments; k++) {
      const t = first + k;
      const x = (k + 0.5) * gap;
      const now = t === at;
      words(pen, SIGNS[GIVEN[t]], x, top - 12, { size: 24, colour: now ? palette.player : palette.soft, align: "center", bold: true });
      arrow(pen, [x, top - 30], [x, top * 0.72], now ? palette.player : palette.line);
      for (let u = 0; u < UNITS; u++) {
        const [px, py] = [x + (u - (UNITS - 1) / 2) * 2.2 * radius, top * 0.6];
        bead(pen, px, py, radius, done.hs[t + 1][u], { ring: now ? palette.network : palette.line });
        if (backwards) words(pen, back.dhs[t][u].toFixed(2), px, py + radius + 12, { size: 11, colour: palette.player, align: "center" });
      }
      if (k) {
        const [from, to] = [[x - gap + UNITS * 1.15 * radius, top * 0.6], [x - UNITS * 1.15 * radius, top * 0.6]];
        if (backwards) arrow(pen, to, from, palette.player);
        else arrow(pen, from, to, palette.network);
      }
      arrow(pen, [x, top * 0.5], [x, top * 0.34], now ? palette.network : palette.line);
      const p = softmax(done.ys[t]);
      SIGNS.forEach((sign, s) => {
        const [bx, full] = [x + (s - 1) * 2.2 * radius, top * 0.2];
        const tall = p[s] * full;
        pen.fillStyle = s === wanted[t] ? palette.network : palette.line;
        pen.fillRect(bx - radius * 0.7, top * 0.28 - tall, radius * 1.4, tall);
        words(pen, sign, bx, top * 0.28 + 12, { align: "center" });
      });
    }
    words(pen, app.t("memory.given"), 8, top - 12, { size: 12 });
    words(pen, app.t("memory.state"), 8, top * 0.6 - 2 * radius, { size: 12 });
    words(pen, app.t("memory.next"), 8, 12, { size: 12 });
    const chart = new Frame(10, top + 12, width - 20, height - top - 20, [0, 150], [0, 1.3]);
    sides(pen, chart, app.t("memory.loss", { nats: back.loss.toFixed(2) }), "1.3");
    if (losses.length > 1) curve(pen, chart, losses, palette.network, 2.5);
    if (backwards) words(pen, app.t("memory.weights", { size: norm(back.gradients.U).toFixed(3) }), width - 16, top + 28, { size: 13, colour: palette.player, align: "right" });
  }

  const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  begin();
  return { nodes: [row(picture.node), group("chips", play, step, turn, again)], frame };
}
