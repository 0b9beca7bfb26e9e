// 2. What is a network? Hidden units bend the plane until one cut can part it: the clash solved.

import { palette, shade } from "../../lib/colour.js";
import { CLASH, CLASH_WANTED, Layers, descend } from "../../lib/nn.js";
import { EDGES, cut, turned } from "../../lib/space.js";
import { Frame, bead, box, chart, connection, curve, dot, line, meaning, number, onConnection, scale, shaded, words } from "../draw.js";
import { button, group, press, row, sheet, slider, struck } from "../parts.js";
import { PITCHES } from "./clash.js";

const STUCK = { units: 2, seed: 24 }; // begins so that two units find no way out
const FREE = { units: 3, seed: 1 };
const MOST = 200;
const ENOUGH = 0.3; // loss below which the clash is solved for good
const GRID = 12;
const REACH = 1.35;
const PACE_S = 0.1;
const REST_S = 5;
const TILT = 0.35;

export function create(app) {
  let [choice, network, losses, playing] = [FREE, new Layers(FREE.units, FREE.seed), [], false];
  let [bend, yaw, turning, turnedBy] = [1, 0.6, null, false];
  const names = ["none", "sharp", "c", "both"].map((name) => app.t(`clash.${name}`));
  const plane = sheet(app.t("layers.sees"), turn, app.t("layers.bent"));
  const wires = sheet(app.t("layers.wires"), null, app.t("layers.units"));
  const falling = sheet(app.t("layers.falls"), null, app.t("layers.loss"));
  const sounds = struck(names, "pads", (k) => hear(k));
  sounds.buttons.forEach((one, k) => (one.dataset.why = app.t("clash.hear", { what: names[k], wanted: app.t(CLASH_WANTED[k] ? "yes" : "no") })));
  const play = button(app.t("play"), () => {
    if (over()) begin(choice);
    press(play, (playing = !playing));
  }, { strong: true, pressed: false, why: app.t("layers.play.why") });
  const step = button(app.t("layers.step"), () => learn(), { why: app.t("layers.step.why") });
  const two = button(app.t("layers.two"), () => begin(STUCK), { pressed: false, why: app.t("layers.two.why") });
  const three = button(app.t("layers.three"), () => begin(FREE), { pressed: true, why: app.t("layers.three.why") });
  const other = button(app.t("layers.other"), () => begin({ ...choice, seed: choice.seed + 1 }), { why: app.t("layers.other.why") });
  const flat = slider(app.t("layers.bend"), { min: 0, max: 1, value: 1, shown: (v) => `${Math.round(100 * v)} %`, why: app.t("layers.bend.why") }, (value) => (bend = value));

  function begin(next) {
    [choice, losses, ended] = [next, [], 0];
    network = new Layers(choice.units, choice.seed);
    press(two, choice.units === 2);
    press(three, choice.units === 3);
  }

  function hear(k, level = 0.6) {
    for (const pitch of PITCHES[k]) app.voice.pluck(pitch, { seconds: 1.2, level, bright: network.look(CLASH[k]).p });
    app.say("clash.says", { what: names[k], answer: network.look(CLASH[k]).p > 0.5 ? app.t("yes") : app.t("no") });
  }

  const solved = () => losses.length > 1 && losses[losses.length - 1] < ENOUGH && network.solved(network.forward(CLASH), CLASH_WANTED);
  const over = () => losses.length >= MOST || solved();

  function learn() {
    const done = network.forward(CLASH);
    losses.push(network.loss(done, CLASH_WANTED));
    descend(network.values, network.backward(done, CLASH_WANTED), 1);
    if (solved()) app.happened("solved");
    else if (losses.length >= MOST && !network.solved(network.forward(CLASH), CLASH_WANTED)) app.say("layers.stuck", { loss: losses[losses.length - 1].toFixed(2) });
  }

  let [last, ended, heard] = [0, 0, 0];
  function frame(now, alone) {
    if (playing || alone) {
      if (!over()) {
        if (now - last > PACE_S) {
          last = now;
          for (let k = losses.length > 60 ? 3 : 1; k > 0 && !over(); k--) learn();
        }
        [ended, heard] = [0, 0];
      } else {
        press(play, (playing = false));
        ended ||= now;
        // At the end all four are heard as it hears them.
        if (heard < 4 && now - ended > 0.5 + 0.8 * heard) hear(heard++, 0.4);
        if (alone && now - ended > REST_S) begin(choice === FREE ? STUCK : FREE);
      }
    }
    if (alone && choice.units === 3 && !turnedBy && !app.reduced) yaw = 0.6 + 0.5 * Math.sin(now / 3);
    const shows = [choice.units, choice.seed, losses.length];
    if (plane.changed(...shows, bend, yaw)) drawPlane(plane.fit(), plane.width, plane.height);
    if (!wires.changed(...shows)) return;
    drawWires(wires.fit(), wires.width, wires.height);
    const pen = falling.fit();
    const chartOf = chart(pen, 4, 4, falling.width - 10, falling.height - 8, { across: app.t("layers.passes", { passes: MOST }), most: 3.2, count: MOST });
    if (losses.length > 1) curve(pen, chartOf, losses, meaning.forward, 2.5);
    if (losses.length) falling.spot(chartOf.x, chartOf.y, chartOf.width, chartOf.height, app.t("layers.loss.why", { passes: losses.length, loss: losses[losses.length - 1].toFixed(2) }));
  }

  function turn(x, y, kind) {
    if (kind === "down") turning = [x, yaw];
    else if (kind === "up") turning = null;
    else if (turning && choice.units === 3) [yaw, turnedBy] = [turning[1] + (x - turning[0]) / 120, true];
  }

  /** Where a note of the plane lies for the hidden units; on the way there, as far as it is bent. */
  function bent(x, y) {
    const { h } = network.look([x, y]);
    const mixed = (k, from) => (1 - bend) * from + bend * (h[k] ?? 0);
    return [mixed(0, x * 0.7), mixed(1, y * 0.7), choice.units > 2 ? mixed(2, 0) : 0];
  }

  function drawPlane(pen, width, height) {
    const side = Math.min(width, height) / (choice.units === 3 ? 3.5 : 2.5);
    const [mx, my] = [width / 2, height / 2];
    const [angle, tilt] = choice.units === 3 ? [yaw, TILT] : [0, 0];
    const project = (p) => {
      const [right, up, near] = turned(p, angle, tilt);
      return [mx + side * right, my - side * up, near];
    };
    for (const [from, to] of choice.units === 3 ? EDGES : EDGES.filter(([a, b]) => a[2] < 0 && b[2] < 0)) {
      line(pen, [project(from), project(to)], palette.line, 1.5);
    }
    const ticks = Array.from({ length: GRID + 1 }, (_, k) => -REACH + (2 * REACH * k) / GRID);
    const mesh = ticks.map((y) => ticks.map((x) => project(bent(x, y))));
    const tiles = [];
    for (let r = 0; r < GRID; r++)
      for (let c = 0; c < GRID; c++) {
        const corners = [mesh[r][c], mesh[r][c + 1], mesh[r + 1][c + 1], mesh[r + 1][c]];
        const { p } = network.look([(ticks[c] + ticks[c + 1]) / 2, (ticks[r] + ticks[r + 1]) / 2]);
        tiles.push({ corners, p, near: corners.reduce((sum, q) => sum + q[2], 0) / 4 });
      }
    const parts = tiles.map((tile) => ({ near: tile.near, draw: () => fill(pen, tile.corners, shade(palette.luts.diverging, 0.62 * (2 * tile.p - 1), -1, 1), 0.82) }));
    const knife = cutting(project);
    if (knife && choice.units === 3) parts.push({ near: knife.reduce((sum, q) => sum + q[2], 0) / knife.length, draw: () => fill(pen, knife, palette.text, 0.16) });
    for (const { draw } of parts.sort((a, b) => a.near - b.near)) draw();
    if (knife) line(pen, choice.units === 3 ? [...knife, knife[0]] : knife, palette.text, choice.units === 3 ? 1.5 : 3);
    drawSounds(pen, project);
    if (bend > 0.02) axes(pen, project);
  }

  /** Where the last unit cannot decide: a plane in the cube, a line in the square. Only what is bent all the way is cut by it. */
  function cutting(project) {
    if (bend < 0.98) return null;
    const { w2, b2 } = network.values;
    if (choice.units === 3) {
      const corners = cut(w2, b2[0]);
      return corners.length ? corners.map(project) : null;
    }
    const corners = cut([w2[0], w2[1], 0], b2[0]).filter(([, , z]) => z < 0);
    return corners.length > 1 ? corners.map(project) : null;
  }

  function drawSounds(pen, project) {
    const placed = [];
    const order = CLASH.map((x, k) => ({ k, at: project(bent(...x)) })).sort((a, b) => a.at[2] - b.at[2]);
    for (const { k, at: [px, py] } of order) {
      const { p } = network.look(CLASH[k]);
      const right = p > 0.5 === CLASH_WANTED[k] > 0.5;
      dot(pen, px, py, 12 * scale(), CLASH_WANTED[k] ? meaning.yes : meaning.no, right ? palette.ground : meaning.wrong, right ? 2 : 4);
      // Names of sounds that lie together stand below each other.
      let below = py + 26 * scale();
      while (placed.some(([x, y]) => Math.abs(x - px) < 70 * scale() && Math.abs(y - below) < 16 * scale())) below += 17 * scale();
      placed.push([px, below]);
      words(pen, names[k], px, below, { align: "center", colour: palette.text, halo: palette.panel });
      plane.spotAround(px, py, 18, app.t("clash.point", { what: names[k], answer: p.toFixed(2), wanted: app.t(CLASH_WANTED[k] ? "yes" : "no") }), () => hear(k));
    }
  }

  function axes(pen, project) {
    const ends = choice.units === 3 ? [[1.12, -1, -1], [-1, 1.12, -1], [-1, -1, 1.2]] : [[1, -1.12, -1], [-1.12, 1, -1]];
    ends.forEach((end, k) => words(pen, "abc"[k], ...project(end), { size: 14, align: "center", bold: true, colour: palette.text, halo: palette.panel }));
  }

  function fill(pen, corners, colour, alpha) {
    pen.globalAlpha = alpha;
    pen.beginPath();
    corners.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.fillStyle = colour;
    pen.fill();
    pen.strokeStyle = palette.ground;
    pen.lineWidth = 0.8;
    pen.stroke();
    pen.globalAlpha = 1;
  }

  /** The network, each unit as what it says of all the plane. */
  function drawWires(pen, width, height) {
    const tile = Math.min(62 * scale(), width / 6.5, height / (choice.units + 1.6));
    const hidden = Array.from({ length: choice.units }, (_, k) => [width * 0.5, (height * (k + 0.5)) / choice.units]);
    const inputs = [0, 1].map((k) => [width * 0.13, height * (k ? 0.3 : 0.7)]);
    const out = [width * 0.85, height / 2];
    const { W1, w2 } = network.values;
    hidden.forEach((to, k) => {
      inputs.forEach((from, c) => connection(pen, from, to, W1[2 * k + c]));
      connection(pen, to, out, w2[k]);
    });
    hidden.forEach((to, k) => {
      inputs.forEach((from, c) => onConnection(pen, from, to, number(W1[2 * k + c], 1), 0.66));
      onConnection(pen, to, out, number(w2[k], 1), 0.5);
    });
    inputs.forEach(([x, y], k) => {
      bead(pen, x, y, tile * 0.36, 1, { shown: false });
      words(pen, names[k ? 1 : 2], x, y, { align: "center", size: 12, bold: true, colour: palette.ground, most: tile * 0.66 });
      wires.spotAround(x, y, tile * 0.4, app.t("layers.input", { what: names[k ? 1 : 2] }));
    });
    const small = ([x, y], value, name, text) => {
      const part = new Frame(x - tile / 2, y - tile / 2, tile, tile, [-REACH, REACH], [-REACH, REACH]);
      shaded(pen, part, value, 0.8, 20);
      box(pen, part.x, part.y, tile, tile, { ring: palette.soft, radius: 2, thick: 1.5 });
      CLASH.forEach((p, k) => dot(pen, part.px(p[0]), part.py(p[1]), 3, CLASH_WANTED[k] ? meaning.yes : meaning.no, palette.ground, 1));
      words(pen, name, x, y - tile / 2 - 10, { size: 13, align: "center", bold: true, halo: palette.panel });
      wires.spot(part.x, part.y, tile, tile, text);
    };
    hidden.forEach((at, k) => small(at, (x, y) => network.look([x, y]).h[k], "abc"[k], app.t("layers.unit", { name: "abc"[k] })));
    small(out, (x, y) => 2 * network.look([x, y]).p - 1, app.t("neuron.answer"), app.t("layers.out"));
  }

  const legend = [
    ["dot", meaning.yes, app.t("clash.is.yes")],
    ["dot", meaning.no, app.t("clash.is.no")],
    ["ring", meaning.wrong, app.t("neuron.is.wrong")],
    ["line", palette.text, app.t("layers.is.cut")],
    ["line", meaning.yes, app.t("layers.is.plus")],
    ["line", meaning.no, app.t("layers.is.minus")],
  ];
  const chips = group("chips", play, step, two, three, other);
  const nodes = [row(plane.node, group("column", wires.node, falling.node)), sounds.node, group("sliders", flat.node), chips];
  return { nodes, frame, legend };
}
