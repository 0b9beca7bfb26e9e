// 1b. The clash: one neuron on XOR, and the report's four lessons, live. Each lesson erases the last.

import { palette } from "../../lib/colour.js";
import { Neuron, XOR, XOR_WANTED, descend } from "../../lib/nn.js";
import { Frame, curve, dot, sides, words } from "../draw.js";
import { button, group, press, row, sheet, struck } from "../parts.js";

// What the report's listing draws first with NumPy's generator of seed 1446: the plot that it shows.
export const REPORT = [0.5011300075346765, -0.9206658976828812, -0.9796929286323453];
const EACH = 1000;
const PITCHES = [[], [61], [60], [60, 61]]; // nothing, C sharp, C, both

export function create(app) {
  let neuron = new Neuron(REPORT);
  let [curves, lesson, playing] = [[[], [], [], []], 0, false];
  const colours = [palette.network, palette.player, palette.others[1], palette.others[2]];
  const names = ["none", "sharp", "c", "both"].map((name) => app.t(`clash.${name}`));
  const picture = sheet(app.t("clash.sees"));
  const answers = sheet(app.t("clash.answers"));
  const sounds = struck(names, "pads", (k) => hear(k));
  const play = button(app.t("play"), () => press(play, (playing = !playing)), { strong: true, pressed: false });
  const again = button(app.t("again"), begin);

  function begin() {
    neuron = new Neuron(REPORT);
    [curves, lesson] = [[[], [], [], []], 0];
  }

  function hear(k, level = 0.5) {
    for (const pitch of PITCHES[k]) app.voice.pluck(pitch, { seconds: 0.9, level, bright: neuron.guess(XOR[k]).p });
    app.say("clash.says", { what: names[k], answer: neuron.guess(XOR[k]).p > 0.5 ? app.t("yes") : app.t("no") });
  }

  function learn() {
    if (lesson >= XOR.length) return;
    const guess = neuron.guess(XOR[lesson]);
    curves[lesson].push(Math.abs(XOR_WANTED[lesson] - guess.p));
    descend(neuron.values, { w: neuron.gradients(guess, XOR_WANTED[lesson]).values.w }, 1);
    if (curves[lesson].length < EACH) return;
    hear(lesson, 0.3);
    lesson++;
    if (lesson < XOR.length) return;
    playing = false;
    press(play, false);
    app.happened("lessons");
  }

  let [finished, waits] = [0, 0];
  function frame(now, alone) {
    if (playing || alone) for (let k = 0; k < 8; k++) learn();
    if (lesson >= XOR.length && alone) {
      finished ||= now;
      waits = now - finished;
      if (waits > 5) [finished] = [0, begin()];
    } else finished = 0;
    draw(picture.fit(), picture.width, picture.height);
    show(answers.fit(), answers.width, answers.height);
  }

  function draw(pen, width, height) {
    const chart = new Frame(14, 12, width - 28, height - 50, [0, EACH], [0, 1]);
    sides(pen, chart, app.t("clash.wrong"), "1");
    curves.forEach((values, k) => values.length > 1 && curve(pen, chart, values, colours[k], 3));
    names.forEach((name, k) => {
      const x = chart.x + ((k + 0.5) / 4) * chart.width;
      dot(pen, x - 34, height - 18, 6, colours[k]);
      words(pen, name, x - 22, height - 18, { colour: k === lesson ? palette.text : palette.soft });
    });
  }

  function show(pen, width, height) {
    const radius = Math.min(width / 9, height / 9, 44);
    XOR.forEach((x, k) => {
      const p = neuron.guess(x).p;
      const [px, py] = [width * (x[0] ? 0.72 : 0.28), height * (x[1] ? 0.28 : 0.68)];
      const right = p > 0.5 === XOR_WANTED[k] > 0.5;
      dot(pen, px, py, radius, p > 0.5 ? palette.player : palette.network, right ? palette.text : palette.chosen);
      words(pen, p.toFixed(2), px, py, { size: 18, colour: palette.text, align: "center", bold: true });
      words(pen, names[k], px, py + radius + 18, { align: "center", colour: palette.text });
      words(pen, right ? app.t("right") : app.t("wrong"), px, py - radius - 14, { align: "center", colour: right ? palette.text : palette.chosen });
    });
  }

  return { nodes: [row(picture.node, answers.node), sounds.node, group("chips", play, again)], frame };
}
