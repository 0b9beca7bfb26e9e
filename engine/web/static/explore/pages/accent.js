// 3c. The accent: hold the accented note while others play. A recurrent neuron slips, an LSTM cell holds; gates and belt.

import { palette } from "../../lib/colour.js";
import { ACCENT, Adam, Chance, Lstm, Rnn, accentStep, distance } from "../../lib/nn.js";
import { Frame, arrow, bead, curve, line, sides, words } from "../draw.js";
import { button, group, press, row, sheet, struck } from "../parts.js";

const PITCH = { 1: 72, "-1": 65 };
const SEEN = 16; // notes
const SEED = 3;
const DEMO_S = 0.55;

export function create(app) {
  let [plain, cell, adams, chances, losses] = [null, null, null, null, null];
  let [given, playing, last, drones] = [[], false, 0, null];
  const demo = new Chance(5);
  const picture = sheet(app.t("accent.sees"));
  const belt = sheet(app.t("accent.belt"));
  const pads = struck(["high", "low", "high!", "low!"].map((name) => app.t(`accent.${name}`)), "pads", (k) => {
    note(k % 2 ? -1 : 1, k > 1);
    if (given.length > 5 && answers().cell > 0 === wanted() > 0) app.happened("held");
  });
  const teach = button(app.t("accent.teach"), () => press(teach, (playing = !playing)), { strong: true, pressed: false });
  const again = button(app.t("again"), begin);

  function begin() {
    plain = new Rnn(2, 1, 0, SEED);
    cell = new Lstm(2, 1, 0, SEED, 0.1);
    adams = [new Adam(ACCENT.rate), new Adam(ACCENT.rate)];
    chances = [new Chance(SEED + 1), new Chance(SEED + 1)];
    losses = [[], []];
    given = [{ note: 1, accent: true }];
  }

  const rows = () => given.map(({ note: n, accent }) => Float64Array.of(n, accent ? 1 : 0));
  const wanted = () => given.reduce((kept, { note: n, accent }) => (accent ? n : kept), 0);
  const answers = () => {
    const xs = rows();
    const [a, b] = [plain.forward(xs), cell.forward(xs)];
    return { plain: a.ys[xs.length - 1][0], cell: b.ys[xs.length - 1][0], a, b };
  };

  function note(n, accent) {
    given.push({ note: n, accent });
    if (given.length > SEEN) {
      // What went out of sight stays in force: the accent that is held begins the row.
      const kept = given.slice(0, -SEEN).reduce((held, one) => (one.accent ? one : held), null);
      given = given.slice(-SEEN);
      if (kept && !given.slice(0, 1)[0].accent) given[0] = { note: kept.note, accent: true };
    }
    app.voice.pluck(PITCH[n], { seconds: accent ? 0.5 : 0.2, level: accent ? 0.8 : 0.3, bright: accent ? 0.7 : 0.2 });
    const { plain: p, cell: c } = answers();
    drone(p, c);
    app.say("accent.says", { wanted: app.t(wanted() > 0 ? "accent.high" : "accent.low"), plain: app.t(p > 0 ? "accent.high" : "accent.low"), cell: app.t(c > 0 ? "accent.high" : "accent.low") });
  }

  /** Each answer as a tone: between low and high as far as it is sure. */
  function drone(p, c) {
    drones ??= app.voice.awake ? [app.voice.drone(53, 0.15), app.voice.drone(60, 0.15)] : null;
    drones?.[0]?.pitch(50 + 3.5 * (1 + Math.max(Math.min(p, 1), -1)));
    drones?.[1]?.pitch(57 + 3.5 * (1 + Math.max(Math.min(c, 1), -1)));
  }

  function learn() {
    losses[0].push(accentStep(plain, chances[0], adams[0]));
    losses[1].push(accentStep(cell, chances[1], adams[1]));
  }

  function frame(now, alone) {
    if ((playing || alone) && losses[0].length < 2 * ACCENT.steps) learn();
    if (losses[0].length >= 2 * ACCENT.steps && playing) press(teach, (playing = false));
    if (alone && now - last > DEMO_S) {
      last = now;
      note(demo.number() < 0.5 ? 1 : -1, demo.number() < 0.22);
    }
    draw(picture.fit(), picture.width, picture.height);
    drawBelt(belt.fit(), belt.width, belt.height);
  }

  function draw(pen, width, height) {
    const { a, b } = answers();
    const gap = (width - 90) / SEEN;
    const lanes = [0.12, 0.32, 0.52].map((share) => share * height);
    [app.t("accent.you"), app.t("accent.plain"), app.t("accent.cell")].forEach((name, k) => words(pen, name, 6, lanes[k] - 26, { size: 13 }));
    let kept = 0;
    given.forEach(({ note: n, accent }, t) => {
      const x = 80 + (t + 0.5) * gap;
      kept = accent ? n : kept;
      pen.fillStyle = palette.player;
      const tall = accent ? 20 : 7;
      pen.fillRect(x - gap * 0.3, lanes[0] - (n > 0 ? 12 : -4) - tall / 2, gap * 0.6, tall);
      [a, b].forEach((way, k) => {
        const y = way.ys[t][0];
        pen.fillStyle = y > 0 === kept > 0 ? palette.network : palette.chosen;
        pen.fillRect(x - gap * 0.4, lanes[k + 1] - Math.max(y, 0) * 22, gap * 0.8, Math.max(Math.abs(y) * 22, 2));
      });
    });
    for (const y of lanes.slice(1)) line(pen, [[80, y], [width - 8, y]], palette.line, 1);
    const bars = fading(a, b);
    const base = height * 0.86;
    words(pen, app.t("accent.gradients"), 6, height * 0.62, { size: 13 });
    bars.forEach((values, k) => values.forEach((value, t) => {
      const x = 80 + (t + 0.5) * gap + (k ? gap * 0.05 : -gap * 0.35);
      const tall = Math.max(Math.log10(value + 1e-12) + 12, 0) / 12 * height * 0.18;
      pen.fillStyle = k ? palette.network : palette.chosen;
      pen.fillRect(x, base - tall, gap * 0.3, tall);
    }));
    words(pen, app.t("accent.scale"), width - 8, base + 16, { size: 12, align: "right" });
  }

  /** How much the answer now has to do with each moment before: the gradient on its way back. */
  function fading(a, b) {
    const last = given.length - 1;
    const blame = given.map((_, t) => Float64Array.of(t === last ? 1 : 0));
    return [plain.backward(a, blame).dhs.map((d) => Math.abs(d[0])), cell.backward(b, blame).dcs.map((d) => Math.abs(d[0]))];
  }

  function drawBelt(pen, width, height) {
    const { b } = answers();
    const t = given.length - 1;
    const [i, f, o, g] = b.gates[t];
    const [y, radius] = [height * 0.28, Math.min(width / 16, height / 12, 26)];
    const places = [0.12, 0.34, 0.62, 0.88].map((share) => share * width);
    arrow(pen, [8, y], [width - 8, y], palette.network, 2 + 5 * Math.min(Math.abs(b.cs[t + 1][0]), 1));
    bead(pen, places[0], y, radius, b.cs[t][0], { label: app.t("accent.before") });
    gate(pen, places[1], y, radius, f, app.t("accent.forget"));
    gate(pen, places[2], y + 5 * radius, radius, i, app.t("accent.input"), true);
    bead(pen, places[1], y + 5 * radius, radius, g, { label: app.t("accent.new") });
    arrow(pen, [places[1] + radius, y + 5 * radius], [places[2] - radius - 3, y + 5 * radius], palette.player, 1 + 3 * Math.abs(g));
    arrow(pen, [places[2], y + 3.8 * radius], [places[2], y + radius + 28], palette.player, 1 + 5 * i);
    bead(pen, places[2], y, radius, b.cs[t + 1][0], { label: app.t("accent.now") });
    arrow(pen, [places[3], y + 4], [places[3], y + 3 * radius], palette.network, 1 + 5 * o);
    gate(pen, places[3], y, radius, o, app.t("accent.output"));
    bead(pen, places[3], y + 4.2 * radius, radius, b.ys[t][0], { label: app.t("neuron.answer") });
    const chart = new Frame(10, height * 0.66, width - 20, height * 0.32, [0, 2 * ACCENT.steps], [0, 0.7]);
    sides(pen, chart, app.t("accent.loss"), "0.7");
    losses.forEach((values, k) => values.length > 1 && curve(pen, chart, values, k ? palette.network : palette.chosen, 2.5));
  }

  /** A gate: as open as it is. */
  function gate(pen, x, y, radius, open, name, under = false) {
    pen.fillStyle = palette.panel;
    pen.fillRect(x - radius * 0.5, y - radius * 1.2, radius, radius * 2.4);
    pen.strokeStyle = palette.player;
    pen.lineWidth = 2;
    pen.strokeRect(x - radius * 0.5, y - radius * 1.2, radius, radius * 2.4);
    pen.fillStyle = palette.player;
    const shut = radius * 2.4 * (1 - open);
    pen.fillRect(x - radius * 0.5, y - radius * 1.2, radius, shut);
    words(pen, `${name} ${Math.round(100 * open)} %`, x, y + (under ? 1 : -1) * (radius * 1.2 + 12), { size: 13, align: "center" });
  }

  begin();
  const leave = () => drones?.forEach((one) => one?.stop());
  return { nodes: [row(picture.node, belt.node), pads.node, group("chips", teach, again)], frame, leave };
}
