// 2. What is a network? Hidden units bend the plane until one line can part it: the clash solved.

import { palette, shade } from "../../lib/colour.js";
import { CLASH, CLASH_WANTED, Layers, descend } from "../../lib/nn.js";
import { Frame, bead, connection, curve, dot, line, sides, words } from "../draw.js";
import { button, group, press, row, sheet, struck } from "../parts.js";

const STUCK = { units: 2, seed: 24 }; // begins so that two units find no way out
const FREE = { units: 3, seed: 1 };
const MOST = 200;
const GRID = 9;
const PITCHES = [[], [61], [60], [60, 61]];

export function create(app) {
  let [choice, network, losses, playing] = [FREE, new Layers(FREE.units, FREE.seed), [], false];
  const names = ["none", "sharp", "c", "both"].map((name) => app.t(`clash.${name}`));
  const plane = sheet(app.t("layers.sees"));
  const wires = sheet(app.t("layers.wires"));
  const sounds = struck(names, "pads", (k) => {
    for (const pitch of PITCHES[k]) app.voice.pluck(pitch, { seconds: 0.9, bright: network.look(CLASH[k]).p });
    app.say("clash.says", { what: names[k], answer: network.look(CLASH[k]).p > 0.5 ? app.t("yes") : app.t("no") });
  });
  const play = button(app.t("play"), () => press(play, (playing = !playing)), { strong: true, pressed: false });
  const step = button(app.t("layers.step"), () => learn());
  const two = button(app.t("layers.two"), () => begin(STUCK), { pressed: false });
  const three = button(app.t("layers.three"), () => begin(FREE), { pressed: true });
  const again = button(app.t("layers.other"), () => begin({ ...choice, seed: choice.seed + 1 }));

  function begin(next) {
    choice = next;
    network = new Layers(choice.units, choice.seed);
    losses = [];
    press(two, choice.units === 2);
    press(three, choice.units === 3);
  }

  function learn() {
    const done = network.forward(CLASH);
    losses.push(network.loss(done, CLASH_WANTED));
    descend(network.values, network.backward(done, CLASH_WANTED), 1);
    if (network.solved(network.forward(CLASH), CLASH_WANTED) && losses.length > 1 && losses[losses.length - 1] < 0.3) {
      if (playing) app.happened("solved");
      return true;
    }
    return false;
  }

  let [last, rested] = [0, 0];
  function frame(now, alone) {
    if ((playing || alone) && now - last > (app.reduced ? 0.3 : 0.12)) {
      last = now;
      const ended = losses.length >= MOST || learn();
      if (ended && playing) press(play, (playing = false));
      if (ended && alone && ++rested > 30) {
        rested = 0;
        begin(choice === FREE ? STUCK : FREE);
      }
    }
    drawPlane(plane.fit(), plane.width, plane.height);
    drawWires(wires.fit(), wires.width, wires.height);
  }

  /** The plane as the first two hidden units see it, with the line of the last unit. */
  function drawPlane(pen, width, height) {
    const side = Math.min(width, height) - 40;
    const box = new Frame((width - side) / 2, 14, side, side, [-1.15, 1.15], [-1.15, 1.15]);
    sides(pen, box, app.t("layers.bent"));
    const bent = (x, y) => {
      const { h } = network.look([x, y]);
      return [box.px(h[0]), box.py(h[1] ?? 0)];
    };
    const ticks = Array.from({ length: GRID }, (_, k) => -1.4 + (2.8 * k) / (GRID - 1));
    const fine = Array.from({ length: 25 }, (_, k) => -1.4 + (2.8 * k) / 24);
    for (const t of ticks) {
      line(pen, fine.map((s) => bent(s, t)), palette.line, 1.5);
      line(pen, fine.map((s) => bent(t, s)), palette.line, 1.5);
    }
    const [[u, v], b] = [network.values.w2, network.values.b2[0]];
    if (choice.units === 2 && Math.abs(v) > 1e-3) {
      pen.save();
      pen.beginPath();
      pen.rect(box.x, box.y, box.width, box.height);
      pen.clip();
      line(pen, [-1.15, 1.15].map((h) => [box.px(h), box.py(-(u * h + b) / v)]), palette.text, 2);
      pen.restore();
    }
    CLASH.forEach((x, k) => {
      const [px, py] = bent(...x);
      const p = network.look(x).p;
      const right = p > 0.5 === CLASH_WANTED[k] > 0.5;
      dot(pen, px, py, 11, CLASH_WANTED[k] ? palette.player : palette.network, right ? palette.text : palette.chosen);
      words(pen, names[k], px + (k === 1 ? 16 : k === 2 ? -16 : 0), py + (k % 3 ? 0 : 24), { align: k === 1 ? "left" : k === 2 ? "right" : "center", colour: palette.text });
    });
  }

  function drawWires(pen, width, height) {
    const top = height * 0.66;
    const unit = Math.min(24, width / 14);
    const inputs = [0, 1].map((k) => [width * 0.16, top * (0.3 + 0.4 * k)]);
    const hidden = Array.from({ length: choice.units }, (_, k) => [width * 0.5, (top * (k + 1)) / (choice.units + 1)]);
    const out = [width * 0.84, top / 2];
    const { W1, w2 } = network.values;
    hidden.forEach((to, k) => {
      inputs.forEach((from, c) => connection(pen, from, to, W1[2 * k + c]));
      connection(pen, to, out, w2[k]);
    });
    const now = network.look(CLASH[3]);
    inputs.forEach((at, k) => bead(pen, ...at, unit, 1, { label: names[k ? 1 : 2], shown: false }));
    hidden.forEach((at, k) => bead(pen, ...at, unit, now.h[k]));
    bead(pen, ...out, unit, 2 * now.p - 1, { label: app.t("neuron.answer"), shown: false });
    words(pen, now.p.toFixed(2), ...out, { align: "center", colour: palette.text });
    const chart = new Frame(10, top + 10, width - 20, height - top - 18, [0, MOST], [0, 3.2]);
    sides(pen, chart, app.t("layers.loss"), "3.2");
    if (losses.length > 1) curve(pen, chart, losses, shade(palette.luts.sequential, 0.7, 0, 1), 2.5);
  }

  const chips = group("chips", play, step, two, three, again);
  return { nodes: [row(plane.node, wires.node), sounds.node, chips], frame };
}
