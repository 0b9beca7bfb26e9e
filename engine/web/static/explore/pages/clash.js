// 1b. The clash: one neuron on XOR, and the report's four lessons, live. Each lesson erases the last.

import { palette } from "../../lib/colour.js";
import { Neuron, XOR, XOR_WANTED, descend } from "../../lib/nn.js";
import { Frame, boundary, chart, curve, dot, line, meaning, shaded, upright, words } from "../draw.js";
import { button, group, press, row, sheet, struck } from "../parts.js";

// What the report's listing draws first with NumPy's generator of seed 1446: the plot that it shows.
export const REPORT = [0.5011300075346765, -0.9206658976828812, -0.9796929286323453];
const EACH = 1000;
const PACE = 5; // steps a picture
const REST_S = 6;
export const PITCHES = [[], [61], [60], [60, 61]]; // nothing, C sharp, C, both

export function create(app) {
  let neuron = new Neuron(REPORT);
  let [curves, lesson, playing, finished] = [[[], [], [], []], 0, false, 0];
  const colours = [0, 3, 2, 1].map((k) => palette.others[k]);
  const names = ["none", "sharp", "c", "both"].map((name) => app.t(`clash.${name}`));
  const picture = sheet(app.t("clash.sees"), null, app.t("clash.wrong"));
  const answers = sheet(app.t("clash.answers"), null, app.t("clash.plane"));
  const sounds = struck(names, "pads", (k) => hear(k));
  sounds.buttons.forEach((one, k) => (one.dataset.why = app.t("clash.hear", { what: names[k], wanted: app.t(XOR_WANTED[k] ? "yes" : "no") })));
  const play = button(app.t("play"), () => {
    if (lesson >= XOR.length) begin();
    press(play, (playing = !playing));
  }, { strong: true, pressed: false, why: app.t("clash.play.why") });
  const again = button(app.t("again"), begin, { why: app.t("again.why") });

  function begin() {
    neuron = new Neuron(REPORT);
    [curves, lesson, finished] = [[[], [], [], []], 0, 0];
  }

  function hear(k, level = 0.5) {
    for (const pitch of PITCHES[k]) app.voice.pluck(pitch, { seconds: 1.2, level, bright: neuron.guess(XOR[k]).p });
    app.say("clash.says", { what: names[k], answer: neuron.guess(XOR[k]).p > 0.5 ? app.t("yes") : app.t("no") });
  }

  function learn() {
    if (lesson >= XOR.length) return;
    if (!curves[lesson].length) hear(lesson, 0.35);
    const guess = neuron.guess(XOR[lesson]);
    curves[lesson].push(Math.abs(XOR_WANTED[lesson] - guess.p));
    descend(neuron.values, { w: neuron.gradients(guess, XOR_WANTED[lesson]).values.w }, 1);
    if (curves[lesson].length < EACH) return;
    lesson++;
    if (lesson < XOR.length) return;
    press(play, (playing = false));
    app.happened("lessons");
  }

  function frame(now, alone) {
    if (playing || alone) for (let k = 0; k < PACE; k++) learn();
    if (lesson >= XOR.length && alone) {
      finished ||= now;
      if (now - finished > REST_S) begin();
    } else finished = 0;
    sounds.buttons.forEach((one, k) => one.classList.toggle("now", k === lesson && curves[k].length > 0));
    const steps = curves.reduce((sum, values) => sum + values.length, 0);
    if (picture.changed(steps)) draw(picture.fit(), picture.width, picture.height);
    if (answers.changed(steps)) show(answers.fit(), answers.width, answers.height);
  }

  function draw(pen, width, height) {
    const box = chart(pen, 6, 8, width - 14, height - 16, { across: app.t("clash.steps", { steps: EACH }), count: EACH });
    curves.forEach((values, k) => values.length > 1 && curve(pen, box, values, colours[k], k === lesson ? 4 : 3));
    curves.forEach((values, k) => {
      if (!values.length) return;
      const seen = Math.min([0.3, 0.06, 0.1, 0.64][k] * EACH, values.length - 1); // where it is steepest, or apart from others
      const [x, y] = [box.px(seen), box.py(values[Math.floor(seen)])];
      if (k === lesson) dot(pen, box.px(values.length - 1), box.py(values[values.length - 1]), 5, colours[k]);
      picture.spotAround(x, y, 26, app.t("clash.curve", { what: names[k], first: values[0].toFixed(3), now: values[values.length - 1].toFixed(3) }));
    });
    names.forEach((name, k) => {
      const [x, y] = [box.x + box.width * 0.13, box.y + box.height * 0.18 + 26 * k]; // between the two that fall late
      line(pen, [[x, y], [x + 22, y]], colours[k], 4);
      const text = curves[k].length ? `${name}: ${curves[k][0].toFixed(2)} → ${curves[k][curves[k].length - 1].toFixed(2)}` : name;
      words(pen, text, x + 30, y, { colour: k === lesson ? palette.text : palette.soft, bold: k === lesson, most: box.width * 0.48 - 30 });
    });
  }

  /** The four sounds on a plane, and the neuron's one line through it. */
  function show(pen, width, height) {
    const side = Math.min(width - 50, height - 60);
    const box = new Frame((width - side) / 2, (height - side) / 2 - 6, side, side, [-0.4, 1.4], [-0.4, 1.4]);
    const [u, v, b] = neuron.values.w;
    shaded(pen, box, (x, y) => 2 * neuron.guess([x, y, 1]).p - 1, 0.45);
    box.within(pen, () => {
      const ends = boundary(box, u, v, b);
      if (ends) line(pen, ends, palette.text, 3);
    });
    const radius = Math.min(side / 11, 34);
    XOR.forEach((x, k) => {
      const p = neuron.guess(x).p;
      const [px, py] = [box.px(x[0]), box.py(x[1])];
      const right = p > 0.5 === XOR_WANTED[k] > 0.5;
      if (k === lesson) dot(pen, px, py, radius + 7, "transparent", palette.text, 2);
      dot(pen, px, py, radius, XOR_WANTED[k] ? meaning.yes : meaning.no, right ? palette.ground : meaning.wrong, right ? 2 : 5);
      words(pen, p.toFixed(2), px, py, { size: Math.min(17, radius * 0.72), colour: palette.ground, align: "center", bold: true });
      words(pen, names[k], px, py - radius - 16, { align: "center", colour: palette.text, halo: palette.panel });
      words(pen, right ? app.t("right") : app.t("wrong"), px, py + radius + 18, { align: "center", bold: !right, colour: right ? palette.text : meaning.wrong, halo: palette.panel });
      answers.spotAround(px, py, radius + 8, app.t("clash.point", { what: names[k], answer: p.toFixed(2), wanted: app.t(XOR_WANTED[k] ? "yes" : "no") }), () => hear(k));
    });
    words(pen, `${app.t("clash.c")} →`, box.x + side, box.y + side + 16, { size: 13, align: "right" });
    upright(pen, `${app.t("clash.sharp")} →`, box.x - 14, box.y, { size: 13, align: "right" });
  }

  const legend = [
    ["dot", meaning.yes, app.t("clash.is.yes")],
    ["dot", meaning.no, app.t("clash.is.no")],
    ["ring", meaning.wrong, app.t("neuron.is.wrong")],
    ["ring", palette.text, app.t("clash.is.now")],
    ["line", palette.text, app.t("clash.is.line")],
  ];
  return { nodes: [row(answers.node, picture.node), sounds.node, group("chips", play, again)], frame, legend };
}
