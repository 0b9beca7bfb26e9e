// 1. What is a neuron? Notes on a plane, a line that moves, one guess in five steps and its way back.

import { palette, shade, withAlpha } from "../../lib/colour.js";
import { beginner, descend, error, points } from "../../lib/nn.js";
import { Frame, arrow, bead, curve, dot, line, sides, words } from "../draw.js";
import { button, group, press, row, sheet, slider } from "../parts.js";

const SEED = 3;
const RATE = 0.3;
const REACH = 3;
const PASSES = 40;
const CELLS = 26; // of the shaded ground
const STAGES = 8; // five of a guess, three of its way back
const STAGE_S = 0.9;

/** Pitch and length of a point, to be heard. */
const heard = ([x, y]) => ({ pitch: Math.round(62 + 7 * x), seconds: 0.12 + 0.18 * (y + REACH) });

export function create(app) {
  const { xs, ys } = points(SEED);
  let neuron = beginner(SEED);
  let [at, playing, looping, stage, staged] = [0, false, true, -1, 0];
  let errors = [];
  let pass = new Float64Array(xs.length);
  let guess = neuron.guess(xs[0]);
  let gradients = neuron.gradients(guess, ys[0]);
  let own = false; // the visitor moved the line

  const plane = sheet(app.t("neuron.sees"), (x, y, kind) => kind === "down" && nearest(x, y));
  const graph = sheet(app.t("neuron.graph"));
  const bars = ["w0", "w1", "b"].map((name, k) =>
    slider(app.t(`neuron.${name}`), { min: -6, max: 6, value: 0 }, (value) => {
      own = true;
      if (k < 2) neuron.values.w[k] = value;
      else neuron.values.b[0] = value;
      look(at);
      check();
    }),
  );
  const step = button(app.t("neuron.step"), () => {
    playing = false;
    press(play, false);
    stage = 0;
    staged = -1;
    look(at);
  });
  const play = button(app.t("play"), () => {
    playing = !playing;
    own = false;
    press(play, playing);
  }, { strong: true, pressed: false });
  const loop = button(app.t("loop"), () => press(loop, (looping = !looping)), { pressed: true });
  const again = button(app.t("again"), () => begin());
  let box = new Frame(0, 0, 1, 1);

  function begin() {
    neuron = beginner(SEED);
    [at, errors, own, stage] = [0, [], false, -1];
    look(0);
  }

  function look(index) {
    at = index;
    guess = neuron.guess(xs[at]);
    gradients = neuron.gradients(guess, ys[at]);
    [...neuron.values.w, neuron.values.b[0]].forEach((value, k) => bars[k].set(value));
  }

  function sound(level = 0.5) {
    const { pitch, seconds } = heard(xs[at]);
    app.voice.pluck(pitch, { seconds, level, bright: guess.p });
  }

  function nearest(x, y) {
    const [u, v] = box.at(x, y);
    let best = 0;
    xs.forEach((p, k) => {
      if (Math.hypot(p[0] - u, p[1] - v) < Math.hypot(xs[best][0] - u, xs[best][1] - v)) best = k;
    });
    look(best);
    sound();
  }

  function check() {
    const right = neuron.right(xs, ys);
    if (right >= 95) app.happened("sorted");
    if (own) app.say("neuron.right", { right, count: xs.length });
  }

  /** Learn from the point that is looked at, and go on to the next. */
  function learn() {
    pass[at] = error(guess, ys[at]);
    descend(neuron.values, gradients.values, RATE);
    if (at === xs.length - 1) {
      errors.push(pass.reduce((sum, e) => sum + e, 0));
      pass = new Float64Array(xs.length);
      check();
      if (errors.length >= PASSES) {
        if (looping) begin();
        else playing = false;
        press(play, playing);
        return;
      }
    }
    look((at + 1) % xs.length);
  }

  function frame(now, alone) {
    if (stage >= 0) {
      if (staged < 0) staged = now;
      const before = stage;
      stage = Math.floor((now - staged) / STAGE_S);
      if (stage >= 4 && before < 4) sound();
      if (stage >= STAGES) {
        stage = -1;
        learn();
      }
    } else if (playing || (alone && !own)) {
      const many = app.reduced ? 5 : errors.length < 1 ? 1 : 4;
      for (let k = 0; k < many; k++) learn();
      if (playing && at % 12 === 0) sound(0.25);
    }
    drawPlane(plane.fit(), plane.width, plane.height);
    drawGraph(graph.fit(), graph.width, graph.height);
  }

  function drawPlane(pen, width, height) {
    const edge = 34;
    box = new Frame(edge, 10, width - edge - 10, height - edge - 10, [-REACH, REACH], [-REACH, REACH]);
    const [w, h] = [box.width / CELLS, box.height / CELLS];
    for (let r = 0; r < CELLS; r++)
      for (let c = 0; c < CELLS; c++) {
        const [x, y] = box.at(box.x + (c + 0.5) * w, box.y + (r + 0.5) * h);
        pen.fillStyle = shade(palette.luts.diverging, 0.5 * (2 * neuron.guess([x, y]).p - 1), -1, 1);
        pen.fillRect(box.x + c * w, box.y + r * h, w + 1, h + 1);
      }
    boundary(pen);
    xs.forEach((p, k) => {
      const size = 3.5 + 14 * pass[k];
      dot(pen, box.px(p[0]), box.py(p[1]), Math.min(size, 9), ys[k] ? palette.player : palette.network, k === at ? palette.text : palette.ground);
    });
    words(pen, app.t("neuron.pitch"), box.x + box.width / 2, height - 13, { align: "center" });
    pen.save();
    pen.translate(14, box.y + box.height / 2);
    pen.rotate(-Math.PI / 2);
    words(pen, app.t("neuron.length"), 0, 0, { align: "center" });
    pen.restore();
  }

  function boundary(pen) {
    const [[u, v], b] = [neuron.values.w, neuron.values.b[0]];
    const ends = Math.abs(v) > Math.abs(u) ? [-REACH, REACH].map((x) => [x, -(u * x + b) / v]) : [-REACH, REACH].map((y) => [-(v * y + b) / (u || 1e-9), y]);
    pen.save();
    pen.beginPath();
    pen.rect(box.x, box.y, box.width, box.height);
    pen.clip();
    line(pen, ends.map(([x, y]) => [box.px(x), box.py(y)]), palette.text, 3);
    pen.restore();
  }

  function drawGraph(pen, width, height) {
    const top = Math.max(height * 0.52, height - 190);
    const [u, v] = xs[at];
    const unit = Math.min(22, width / 22, top / 9);
    const place = (column, of, rowNumber, rows) => [((column + 0.5) / of) * width, ((rowNumber + 0.5) / rows) * top];
    const inputs = [place(0, 5, 0, 3), place(0, 5, 1, 3), place(0, 5, 2, 3)];
    const weighted = [place(1, 5, 0, 3), place(1, 5, 1, 3), place(1, 5, 2, 3)];
    const [sum, answer, wrong] = [place(2, 5, 1, 3), place(3, 5, 1, 3), place(4, 5, 1, 3)];
    const lit = (needed) => (stage < 0 || stage >= needed ? palette.network : palette.line);
    weighted.forEach((to, k) => {
      arrow(pen, [inputs[k][0] + unit, inputs[k][1]], [to[0] - unit - 2, to[1]], lit(1));
      arrow(pen, [to[0] + unit, to[1]], [sum[0] - unit - 2, sum[1] + (k - 1) * unit * 0.5], lit(2));
    });
    arrow(pen, [sum[0] + unit, sum[1]], [answer[0] - unit - 2, answer[1]], lit(3));
    arrow(pen, [answer[0] + unit, answer[1]], [wrong[0] - unit - 2, wrong[1]], lit(4));
    const names = [app.t("neuron.pitch"), app.t("neuron.length"), app.t("neuron.always")];
    [u, v, 1].forEach((x, k) => bead(pen, ...inputs[k], unit, x, { label: names[k], low: -3, high: 3 }));
    const parts = [...guess.weighted, neuron.values.b[0]];
    const shown = (needed) => stage < 0 || stage >= needed;
    parts.forEach((part, k) => bead(pen, ...weighted[k], unit, shown(1) ? part : 0, { low: -6, high: 6, shown: shown(1), label: `× ${[...neuron.values.w, neuron.values.b[0]][k].toFixed(1)}` }));
    bead(pen, ...sum, unit, shown(2) ? guess.z : 0, { label: app.t("neuron.sum"), low: -6, high: 6, shown: shown(2) });
    bead(pen, ...answer, unit, shown(3) ? 2 * guess.p - 1 : 0, { label: app.t("neuron.answer"), shown: false });
    if (shown(3)) words(pen, guess.p.toFixed(2), ...answer, { colour: palette.text, align: "center" });
    bead(pen, ...wrong, unit, shown(4) ? 2 * error(guess, ys[at]) : 0, { label: app.t("neuron.wrong"), shown: false });
    if (shown(4)) words(pen, error(guess, ys[at]).toFixed(2), ...wrong, { colour: palette.text, align: "center" });
    if (stage >= 5) back(pen, { inputs: weighted, sum, answer, wrong, unit });
    drawErrors(pen, new Frame(8, top + 10, width - 16, height - top - 18, [0, PASSES], [0, 14]));
  }

  /** The gradients travel back along the graph. */
  function back(pen, { inputs, sum, answer, wrong, unit }) {
    const below = ([x, y]) => [x, y - unit - 12];
    const tell = (value, place) => words(pen, value.toFixed(3), ...below(place), { colour: palette.player, align: "center" });
    arrow(pen, [wrong[0] - unit, wrong[1] - 10], [answer[0] + unit + 4, answer[1] - 10], palette.player);
    tell(gradients.dp, answer);
    if (stage >= 6) {
      arrow(pen, [answer[0] - unit, answer[1] - 10], [sum[0] + unit + 4, sum[1] - 10], palette.player);
      tell(gradients.dz, sum);
    }
    if (stage >= 7) {
      inputs.forEach((place, k) => {
        arrow(pen, [sum[0] - unit, sum[1] - 6], [place[0] + unit + 4, place[1] - 6], palette.player);
        tell([...gradients.values.w, gradients.values.b[0]][k], place);
      });
    }
  }

  function drawErrors(pen, chart) {
    sides(pen, chart, app.t("neuron.errors"), "14");
    if (errors.length) curve(pen, chart, errors, palette.network, 2.5);
    const now = pass.reduce((sum, e) => sum + e, 0);
    dot(pen, chart.px(errors.length), chart.py(Math.min(now, 14)), 4, withAlpha(palette.network, 0.8));
  }

  look(0);
  const nodes = [row(plane.node, graph.node), group("sliders", ...bars.map(({ node }) => node)), group("chips", play, step, loop, again)];
  return { nodes, frame };
}
