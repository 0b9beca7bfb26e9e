// 1. What is a neuron? Notes on a plane, a line that moves, one guess in five steps and its way back.

import { palette } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { beginner, descend, error, lineThrough, points } from "../../lib/nn.js";
import { Frame, arrow, bead, boundary, chart, curve, dot, line, meaning, number, scale, shaded, upright, words } from "../draw.js";
import { button, group, press, row, sheet, slider } from "../parts.js";

const SEED = 3;
const RATE = 0.3;
const REACH = 3;
const PASSES = 40;
const STAGES = 8; // five of a guess, three of its way back
const STAGE_S = 1.5;
const REST_S = 4;
const GRIP = 16; // pixels round what can be taken hold of
const MOST_ERROR = 14;

/** Pitch and length of a point, to be heard. */
const heard = ([x, y]) => ({ pitch: Math.round(62 + 7 * x), seconds: 0.12 + 0.18 * (y + REACH) });

export function create(app) {
  const { xs, ys } = points(SEED);
  let neuron = beginner(SEED);
  let [at, playing, looping, stage, staged, ended] = [0, false, true, -1, 0, 0];
  let errors = [];
  let pass = 0;
  let guess = neuron.guess(xs[0]);
  let gradients = neuron.gradients(guess, ys[0]);
  let guesses = [];
  let own = false; // the visitor moved the line
  let [held, shown] = [null, false];

  const plane = sheet(app.t("neuron.sees"), touch, app.t("neuron.plane"));
  const graph = sheet(app.t("neuron.graph"), null, app.t("neuron.guess"));
  const telling = el("p", "telling");
  graph.node.querySelector("figcaption").after(telling);
  const history = sheet(app.t("neuron.history"), null, app.t("neuron.errors"));
  const bars = ["w0", "w1", "b"].map((name, k) =>
    slider(app.t(`neuron.${name}`), { min: -6, max: 6, value: 0, why: app.t(`neuron.${name}.why`) }, (value) => {
      const { w, b } = neuron.values;
      move({ w: [k === 0 ? value : w[0], k === 1 ? value : w[1]], b: k === 2 ? value : b[0] });
    }),
  );
  const play = button(app.t("play"), () => {
    playing = !playing;
    [own, stage] = [false, -1];
    if (playing && errors.length >= PASSES) begin();
    press(play, playing);
  }, { strong: true, pressed: false, why: app.t("neuron.play.why") });
  const step = button(app.t("neuron.step"), () => {
    press(play, (playing = false));
    go();
    app.say(`neuron.s${Math.max(stage, 0)}`);
  }, { why: app.t("neuron.step.why") });
  const loop = button(app.t("loop"), () => press(loop, (looping = !looping)), { pressed: true, why: app.t("neuron.loop.why") });
  const again = button(app.t("again"), () => begin(), { why: app.t("again.why") });
  let box = new Frame(0, 0, 1, 1);

  function begin() {
    neuron = beginner(SEED);
    [errors, pass, own, stage, ended] = [[], 0, false, -1, 0];
    look(0);
  }

  function look(index) {
    at = index;
    guess = neuron.guess(xs[at]);
    gradients = neuron.gradients(guess, ys[at]);
    guesses = xs.map((x) => neuron.guess(x));
    [...neuron.values.w, neuron.values.b[0]].forEach((value, k) => bars[k].set(value));
  }

  function sound(k, level = 0.5) {
    const { pitch, seconds } = heard(xs[k]);
    app.voice.pluck(pitch, { seconds, level, bright: guesses[k].p });
  }

  /** The visitor moves the line; notes that change sides are heard. */
  function move({ w, b }) {
    const before = guesses;
    neuron.values.w.set(w);
    neuron.values.b[0] = b;
    [own, playing, stage] = [true, false, -1];
    press(play, false);
    look(at);
    guesses.map(({ p }, k) => (p > 0.5 !== before[k].p > 0.5 ? k : -1)).filter((k) => k >= 0).slice(0, 3).forEach((k) => sound(k, 0.35));
    check();
  }

  /** Two places of the line by which it can be turned. */
  function handles() {
    const { w, b } = neuron.values;
    const size = Math.hypot(...w) || 1;
    const middle = [(-b[0] * w[0]) / size ** 2, (-b[0] * w[1]) / size ** 2];
    return [-1.8, 1.8].map((s) => [middle[0] - (s * w[1]) / size, middle[1] + (s * w[0]) / size]);
  }

  function touch(px, py, kind) {
    const [x, y] = box.at(px, py);
    const ends = handles();
    if (kind === "down") {
      const near = ends.findIndex(([u, v]) => Math.hypot(box.px(u) - px, box.py(v) - py) < GRIP);
      const { w, b } = neuron.values;
      const beside = ((w[0] * x + w[1] * y + b[0]) / (Math.hypot(...w) || 1)) * (box.width / (2 * REACH));
      if (near >= 0) held = { still: ends[1 - near] };
      else if (Math.abs(beside) < GRIP) held = { from: [x, y], ends };
      else nearest(x, y);
    } else if (kind === "up") held = null;
    else if (held?.still && Math.hypot(held.still[0] - x, held.still[1] - y) > 0.2) move(lineThrough(neuron.values, held.still, [x, y]));
    else if (held?.ends) {
      const [dx, dy] = [x - held.from[0], y - held.from[1]];
      move(lineThrough(neuron.values, ...held.ends.map(([u, v]) => [u + dx, v + dy])));
    }
  }

  function nearest(x, y) {
    let best = 0;
    xs.forEach((p, k) => {
      if (Math.hypot(p[0] - x, p[1] - y) < Math.hypot(xs[best][0] - x, xs[best][1] - y)) best = k;
    });
    look(best);
    sound(best);
    app.say("neuron.point", told(best));
  }

  const told = (k) => ({
    pitch: number(xs[k][0], 1), length: number(xs[k][1], 1), wanted: app.t(ys[k] ? "yes" : "no"), answer: app.t(guesses[k].p > 0.5 ? "yes" : "no"),
  });

  function check() {
    const right = neuron.right(xs, ys);
    if (right >= 95) app.happened("sorted");
    if (own) app.say("neuron.right", { right, count: xs.length });
  }

  /** Learn from the point that is looked at, and go on to the next. */
  function learn() {
    pass += error(guess, ys[at]);
    descend(neuron.values, gradients.values, RATE);
    if (at === xs.length - 1) {
      errors.push(pass);
      pass = 0;
      check();
    }
    at = (at + 1) % xs.length;
    guess = neuron.guess(xs[at]);
    gradients = neuron.gradients(guess, ys[at]);
  }

  /** One stage further through a guess and its way back; at its end the weights move. */
  function go() {
    stage++;
    if (stage === 0) sound(at);
    if (stage === 4) app.voice.pluck(heard(xs[at]).pitch, { seconds: 0.5, level: 0.5, bright: guess.p });
    if (stage > 4 && stage < STAGES) app.voice.tick(0.2, 90 - 5 * stage);
    if (stage < STAGES) return;
    stage = -1;
    learn();
    look(at);
  }

  function frame(now, alone) {
    const demo = alone && !own && !playing;
    if (demo && !shown && errors.length === 0) {
      // Just watched: one guess slowly, then all the passes.
      staged ||= now;
      if (now - staged > STAGE_S) {
        staged = now;
        go();
        shown = stage < 0;
      }
    } else if (playing || demo) {
      if (errors.length >= PASSES) {
        ended ||= now;
        if (!looping && playing) press(play, (playing = false));
        else if (now - ended > REST_S && looping) {
          begin();
          shown = false;
        }
      } else {
        const many = app.reduced ? 5 : errors.length < 1 ? 1 : 4;
        for (let k = 0; k < many && errors.length < PASSES; k++) learn();
        look(at);
        if (at % 12 === 0) sound(at, 0.25);
      }
    }
    const { w, b } = neuron.values;
    if (plane.changed(...w, b[0], at)) drawPlane(plane.fit(), plane.width, plane.height);
    if (!graph.changed(...w, b[0], at, stage, stage < 0 ? 0 : now) && !history.changed(errors.length)) return;
    drawGraph(graph.fit(), graph.width, graph.height, now);
    drawErrors(history.fit(), history.width, history.height);
    const key = stage < 0 ? "neuron.all" : `neuron.s${stage}`;
    const text = app.t(key, { right: neuron.right(xs, ys), count: xs.length });
    if (telling.textContent !== text) telling.textContent = text;
  }

  function drawPlane(pen, width, height) {
    const edge = 30 * scale();
    box = new Frame(edge, 12, width - edge - 14, height - edge - 12, [-REACH, REACH], [-REACH, REACH]);
    shaded(pen, box, (x, y) => 2 * neuron.guess([x, y]).p - 1, 0.45);
    const { w, b } = neuron.values;
    box.within(pen, () => {
      const ends = boundary(box, w[0], w[1], b[0]);
      if (ends) line(pen, ends, palette.text, 3);
    });
    xs.forEach((p, k) => {
      const [x, y] = [box.px(p[0]), box.py(p[1])];
      const wrong = guesses[k].p > 0.5 !== ys[k] > 0.5;
      dot(pen, x, y, 5 * scale(), ys[k] ? meaning.yes : meaning.no, wrong ? meaning.wrong : palette.ground, wrong ? 3 : 1.5);
      plane.spotAround(x, y, 9, app.t("neuron.point", told(k)), () => nearest(...p));
    });
    dot(pen, box.px(xs[at][0]), box.py(xs[at][1]), 9 * scale(), "transparent", palette.text, 2);
    for (const [x, y] of handles()) {
      const [px, py] = [box.px(x), box.py(y)];
      if (px < box.x || px > box.x + box.width || py < box.y || py > box.y + box.height) continue;
      dot(pen, px, py, 8, palette.ground, palette.text, 3);
      plane.spot(px - GRIP, py - GRIP, 2 * GRIP, 2 * GRIP, app.t("neuron.turn"), null, "grab");
    }
    words(pen, app.t("neuron.low"), box.x, height - 12, { size: 13 });
    words(pen, app.t("neuron.high"), box.x + box.width, height - 12, { size: 13, align: "right" });
    upright(pen, app.t("neuron.short"), 14, box.y + box.height, { size: 13 });
    upright(pen, app.t("neuron.long"), 14, box.y, { size: 13, align: "right" });
  }

  function drawGraph(pen, width, height, now) {
    const small = width < 460;
    // Between two rows stand a name and a gradient.
    const unit = Math.max(Math.min(28 * scale(), width / (small ? 13 : 15), (0.32 * (height - 20) - 44 * scale()) / 2), 13);
    const rows = [0.18, 0.5, 0.82].map((share) => share * (height - 20));
    const columns = (small ? [0.09, 0.3, 0.53, 0.73, 0.91] : [0.09, 0.31, 0.54, 0.74, 0.93]).map((share) => share * width);
    const inputs = rows.map((y) => [columns[0], y]);
    const weighted = rows.map((y) => [columns[1], y]);
    const [sum, answer, wrong] = [2, 3, 4].map((c) => [columns[c], rows[1]]);
    const shownAt = (needed) => stage < 0 || stage >= needed;
    const link = (from, to, needed, dy = 0) => {
      const ends = [[from[0] + unit, from[1]], [to[0] - unit - 4, to[1] + dy]];
      arrow(pen, ...ends, shownAt(needed) ? meaning.forward : palette.line);
      if (stage === needed && !app.reduced) travel(pen, ...ends, now, meaning.forward);
    };
    weighted.forEach((to, k) => {
      link(inputs[k], to, 1);
      link(to, sum, 2, (k - 1) * unit * 0.6);
    });
    link(sum, answer, 3);
    link(answer, wrong, 4);
    const [p, wanted, missing] = [guess.p, app.t(ys[at] ? "yes" : "no"), error(guess, ys[at])];
    const values = [...xs[at], 1];
    const weights = [...neuron.values.w, neuron.values.b[0]];
    const parts = [...guess.weighted, neuron.values.b[0]];
    ["neuron.pitch", "neuron.length", "neuron.always"].forEach((name, k) => {
      bead(pen, ...inputs[k], unit, values[k], { label: app.t(name), low: -3, high: 3, text: k < 2 ? number(values[k]) : "1" });
      graph.spotAround(...inputs[k], unit, `${app.t(name)}: ${number(values[k])}`);
      bead(pen, ...weighted[k], unit, shownAt(1) ? parts[k] : 0, { low: -6, high: 6, shown: shownAt(1), label: `× ${number(weights[k], 1)}` });
      graph.spotAround(...weighted[k], unit, app.t("neuron.weighted", { value: number(values[k]), weight: number(weights[k]), part: number(parts[k]) }));
    });
    bead(pen, ...sum, unit, shownAt(2) ? guess.z : 0, { label: app.t("neuron.sum"), low: -6, high: 6, shown: shownAt(2) });
    bead(pen, ...answer, unit, shownAt(3) ? 2 * p - 1 : 0, { label: app.t("neuron.answer"), shown: shownAt(3), text: p.toFixed(2) });
    bead(pen, ...wrong, unit, shownAt(4) ? 2 * missing : 0, { label: app.t("neuron.wrong"), shown: shownAt(4), text: missing.toFixed(2) });
    graph.spotAround(...sum, unit, app.t("neuron.sum.why", { value: number(guess.z) }));
    graph.spotAround(...answer, unit, app.t("neuron.answer.why", { value: p.toFixed(2), wanted }));
    graph.spotAround(...wrong, unit, app.t("neuron.wrong.why", { value: missing.toFixed(2), wanted }));
    if (shownAt(4)) words(pen, app.t("neuron.wanted", { wanted }), wrong[0] + unit, wrong[1] + unit + 32 * scale(), { size: 13, align: "right", colour: ys[at] ? meaning.yes : meaning.no });
    if (stage >= 5) back(pen, { weighted, sum, answer, wrong, unit, now });
  }

  function travel(pen, [x0, y0], [x1, y1], now, colour) {
    const share = ((now - staged) / 0.9) % 1;
    dot(pen, x0 + share * (x1 - x0), y0 + share * (y1 - y0), 5, colour, palette.panel);
  }

  /** The gradients travel back along the graph. */
  function back(pen, { weighted, sum, answer, wrong, unit, now }) {
    const tell = (name, value, [x, y], why) => {
      const above = y - unit - 11 * scale();
      words(pen, `${name} ${number(value, 3)}`, x, above, { size: 13, colour: meaning.back, align: "center", bold: true, halo: palette.panel });
      graph.spot(x - 1.4 * unit, above - 10, 2.8 * unit, 20, app.t(`neuron.${why}.why`, { value: number(value, 3) }));
    };
    const link = (from, to, needed, dy = 12) => {
      const ends = [[from[0] - unit, from[1] + dy], [to[0] + unit + 4, to[1] + dy]];
      arrow(pen, ...ends, meaning.back, 2.5);
      if (stage === needed && !app.reduced) travel(pen, ...ends, now, meaning.back);
    };
    link(wrong, answer, 5);
    tell("dp", gradients.dp, answer, "dp");
    if (stage >= 6) {
      link(answer, sum, 6);
      tell("dz", gradients.dz, sum, "dz");
    }
    if (stage < 7) return;
    weighted.forEach((place, k) => {
      link(sum, place, 7);
      tell(["dw₁", "dw₂", "db"][k], [...gradients.values.w, gradients.values.b[0]][k], place, "dw");
    });
  }

  function drawErrors(pen, width, height) {
    const frameOf = chart(pen, 4, 4, width - 10, height - 8, { across: app.t("neuron.passes", { passes: PASSES }), most: MOST_ERROR, count: PASSES, digits: 0 });
    if (errors.length) curve(pen, frameOf, errors, meaning.forward, 2.5);
    dot(pen, frameOf.px(errors.length), frameOf.py(Math.min(pass, MOST_ERROR)), 4, meaning.forward);
    history.spot(frameOf.x, frameOf.y, frameOf.width, frameOf.height, app.t("neuron.errors.why", { passes: errors.length, error: (errors.at(-1) ?? pass).toFixed(2) }));
  }

  look(0);
  const legend = [
    ["dot", meaning.yes, app.t("neuron.is.yes")],
    ["dot", meaning.no, app.t("neuron.is.no")],
    ["ring", meaning.wrong, app.t("neuron.is.wrong")],
    ["line", palette.text, app.t("neuron.is.line")],
    ["line", meaning.forward, app.t("is.forward")],
    ["line", meaning.back, app.t("is.back")],
  ];
  const nodes = [row(plane.node, group("column tall", graph.node, history.node)), group("sliders", ...bars.map(({ node }) => node)), group("chips", play, step, loop, again)];
  return { nodes, frame, legend };
}
