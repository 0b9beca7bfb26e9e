// 3c. The accent: hold the accented note while others play. A recurrent neuron slips, an LSTM cell holds; gates and belt.

import { palette } from "../../lib/colour.js";
import { ACCENT, Adam, Chance, Lstm, Rnn, accentStep } from "../../lib/nn.js";
import { arrow, bead, box, chart, curve, line, meaning, number, scale, words } from "../draw.js";
import { button, group, press, row, sheet, struck } from "../parts.js";

const PITCH = { 1: 72, "-1": 65 };
const SEEN = 16; // notes
const SEED = 3;
const DEMO_S = 0.55;
const QUIET_S = 4; // without a note the drones fall silent
const STEPS = 2 * ACCENT.steps;
const DECADES = 12; // of the gradients that are shown
const left = () => 104 * scale();
const TOUCHES = [[1, false], [-1, false], [1, true], [-1, true]];

export function create(app) {
  let [plain, cell, adams, chances, losses] = [null, null, null, null, null];
  let [given, playing, last, drones, sinceAccent, played] = [[], false, 0, null, 0, 0];
  const demo = new Chance(5);
  const colours = [palette.others[3], meaning.forward]; // the plain neuron, the LSTM cell
  const picture = sheet(app.t("accent.sees"), null, app.t("accent.answers"));
  const reach = sheet(app.t("accent.reach"), null, app.t("accent.gradients"));
  const belt = sheet(app.t("accent.belt"), null, app.t("accent.inside"));
  const falling = sheet(app.t("accent.falls"), null, app.t("accent.loss"));
  const pads = struck(["high", "low", "high!", "low!"].map((name) => app.t(`accent.${name}`)), "pads", (k) => touched(k));
  pads.buttons.forEach((one, k) => (one.dataset.why = app.t("accent.key", { key: k + 1 })));
  const teach = button(app.t("accent.teach"), () => {
    if (losses[0].length >= STEPS) begin();
    press(teach, (playing = !playing));
  }, { strong: true, pressed: false, why: app.t("accent.teach.why") });
  const again = button(app.t("again"), begin, { why: app.t("again.why") });

  function begin() {
    plain = new Rnn(2, 1, 0, SEED);
    cell = new Lstm(2, 1, 0, SEED, 0.1);
    adams = [new Adam(ACCENT.rate), new Adam(ACCENT.rate)];
    chances = [new Chance(SEED + 1), new Chance(SEED + 1)];
    losses = [[], []];
    given = [{ note: 1, accent: true }];
    played++;
  }

  const wanted = () => given.reduce((kept, { note: n, accent }) => (accent ? n : kept), 0);

  /** What both answer to all that was played. */
  function answers() {
    const xs = given.map(({ note: n, accent }) => Float64Array.of(n, accent ? 1 : 0));
    const [a, b] = [plain.forward(xs), cell.forward(xs)];
    return { plain: a.ys[xs.length - 1][0], cell: b.ys[xs.length - 1][0], a, b };
  }

  function touched(k) {
    note(...TOUCHES[k]);
    if (losses[1].length >= ACCENT.steps && sinceAccent > 1 && answers().cell > 0 === wanted() > 0) app.happened("held");
  }

  function note(n, accent) {
    given.push({ note: n, accent });
    played++;
    sinceAccent = accent ? 0 : sinceAccent + 1;
    if (given.length > SEEN) {
      // What went out of sight stays in force: the accent that is held begins the row.
      const kept = given.slice(0, -SEEN).reduce((held, one) => (one.accent ? one : held), null);
      given = given.slice(-SEEN);
      if (kept && !given[0].accent) given[0] = { note: kept.note, accent: true };
    }
    last = performance.now() / 1000;
    app.voice.pluck(PITCH[n], { seconds: accent ? 0.5 : 0.2, level: accent ? 0.8 : 0.3, bright: accent ? 0.7 : 0.2 });
    const { plain: p, cell: c } = answers();
    drone(p, c);
    const side = (v) => app.t(v > 0 ? "accent.high" : "accent.low");
    app.say("accent.says", { wanted: side(wanted()), plain: side(p), cell: side(c) });
  }

  /** Each answer as a tone: between low and high as far as it is sure. */
  function drone(p, c) {
    drones ??= app.voice.awake ? [app.voice.drone(53), app.voice.drone(60)] : null;
    [p, c].forEach((v, k) => {
      drones?.[k]?.pitch([50, 57][k] + 3.5 * (1 + Math.max(Math.min(v, 1), -1)));
      drones?.[k]?.level(0.15);
    });
  }

  function learn() {
    losses[0].push(accentStep(plain, chances[0], adams[0]));
    losses[1].push(accentStep(cell, chances[1], adams[1]));
  }

  function frame(now, alone) {
    if ((playing || alone) && losses[0].length < STEPS) learn();
    if (losses[0].length >= STEPS && playing) press(teach, (playing = false));
    if (alone && now - last > DEMO_S) note(demo.number() < 0.5 ? 1 : -1, demo.number() < 0.22);
    else if (now - last > QUIET_S) drones?.forEach((one) => one?.level(0));
    const shows = [played, losses[0].length];
    const moved = picture.changed(...shows);
    if (!moved && !belt.changed(...shows, Math.min(now - last, 0.6))) return; // the belt runs on for a moment
    const said = answers();
    drawBelt(belt.fit(), belt.width, belt.height, said.b, now);
    if (!moved) return;
    draw(picture.fit(), picture.width, picture.height, said);
    drawReach(reach.fit(), reach.width, reach.height, said);
    const pen = falling.fit();
    const frameOf = chart(pen, 4, 4, falling.width - 10, falling.height - 8, { across: app.t("memory.steps", { steps: STEPS }), most: 0.8, count: STEPS });
    losses.forEach((values, k) => values.length > 1 && curve(pen, frameOf, values, colours[k], 2.5));
    if (losses[0].length) falling.spot(frameOf.x, frameOf.y, frameOf.width, frameOf.height, app.t("accent.loss.why", { plain: losses[0].at(-1).toFixed(2), cell: losses[1].at(-1).toFixed(2) }));
  }

  const placed = (width) => {
    const gap = (width - left() - 12) / SEEN;
    return { gap, x: (t) => left() + (t + SEEN - given.length + 0.5) * gap }; // the newest stands on the right
  };

  function draw(pen, width, height, { a, b }) {
    const { gap, x } = placed(width);
    const lane = height / 3;
    const half = Math.min(lane * 0.38, 40);
    const middle = (k) => (k + 0.5) * lane;
    box(pen, x(given.length - 1) - gap / 2, 4, gap, height - 8, { fill: "#141b25", radius: 4 });
    [app.t("accent.you"), app.t("accent.plain"), app.t("accent.cell")].forEach((name, k) => {
      words(pen, name, 12, middle(k), { size: 13, colour: [meaning.you, ...colours][k], most: left() - 18 });
      line(pen, [[left(), middle(k)], [width - 12, middle(k)]], palette.line, 1);
    });
    let kept = 0;
    given.forEach(({ note: n, accent }, t) => {
      kept = accent ? n : kept;
      const tall = accent ? half : half * 0.32;
      box(pen, x(t) - gap * 0.4, middle(0) - (n > 0 ? half : half - (2 * half - tall)), gap * 0.8, tall, { fill: accent ? meaning.you : "#8a6000", radius: 3 });
      if (accent) words(pen, ">", x(t), middle(0) - (n > 0 ? half - tall / 2 : -half + tall / 2), { size: 14, align: "center", bold: true, colour: palette.ground });
      const name = app.t(n > 0 ? (accent ? "accent.high!" : "accent.high") : accent ? "accent.low!" : "accent.low");
      picture.spot(x(t) - gap / 2, 0, gap, lane, name);
      [a, b].forEach((way, k) => {
        const y = way.ys[t][0];
        const good = y > 0 === kept > 0;
        const tallness = Math.max(Math.min(Math.abs(y), 1) * half, 3);
        box(pen, x(t) - gap * 0.4, y > 0 ? middle(k + 1) - tallness : middle(k + 1), gap * 0.8, tallness, { fill: colours[k], ring: good ? null : meaning.wrong, radius: 2, thick: 3 });
        // Where it should be: a line that holds the accented note.
        line(pen, [[x(t) - gap / 2, middle(k + 1) - kept * half], [x(t) + gap / 2, middle(k + 1) - kept * half]], meaning.you, 2, [3, 3]);
        picture.spot(x(t) - gap / 2, (k + 1) * lane, gap, lane, app.t("accent.answer", { who: app.t(k ? "accent.cell" : "accent.plain"), answer: number(y), wanted: app.t(kept > 0 ? "accent.high" : "accent.low") }));
      });
    });
  }

  /** How much the answer now has to do with each moment before: the gradient on its way back, a mark every three powers of ten. */
  function drawReach(pen, width, height, { a, b }) {
    const { gap, x } = placed(width);
    const end = given.length - 1;
    const blame = given.map((_, t) => Float64Array.of(t === end ? 1 : 0));
    const bars = [plain.backward(a, blame).dhs.map((d) => Math.abs(d[0])), cell.backward(b, blame).dcs.map((d) => Math.abs(d[0]))];
    const [top, base] = [14, height - 16];
    const tall = (v) => (Math.min(Math.max(Math.log10(v + 1e-30) + DECADES, 0), DECADES) / DECADES) * (base - top);
    ["1", "10⁻³", "10⁻⁶", "10⁻⁹", "10⁻¹²"].forEach((name, k) => {
      const y = top + (k / 4) * (base - top);
      line(pen, [[left(), y], [width - 12, y]], palette.line, 1);
      words(pen, name, left() - 8, y, { size: 12, align: "right" });
    });
    bars.forEach((values, k) => values.forEach((value, t) => {
      const high = tall(value);
      box(pen, x(t) + (k ? gap * 0.03 : -gap * 0.38), base - high, gap * 0.35, high, { fill: colours[k], radius: 2 });
      if (k) reach.spot(x(t) - gap / 2, top, gap, base - top, app.t("accent.gradient", { ago: end - t, plain: bars[0][t].toExponential(1), cell: value.toExponential(1) }));
    }));
  }

  function drawBelt(pen, width, height, b, now) {
    const t = given.length - 1;
    const [i, f, o, g] = b.gates[t];
    const radius = Math.min(width / 15, height / 9, 30);
    const [y, below] = [height * 0.34, height * 0.78];
    const [before, keep, plus, after, show] = [0.1, 0.3, 0.52, 0.72, 0.9].map((share) => share * width);
    const fresh = Math.min(now - last, 0.5) / 0.5; // the belt moves where a note has just come in
    line(pen, [[0, y], [width, y]], "#12333a", 2.2 * radius);
    pen.lineDashOffset = app.reduced ? 0 : -40 * fresh;
    line(pen, [[0, y - 1.1 * radius], [width, y - 1.1 * radius]], meaning.forward, 2, [12, 8]);
    line(pen, [[0, y + 1.1 * radius], [width, y + 1.1 * radius]], meaning.forward, 2, [12, 8]);
    pen.lineDashOffset = 0;
    const told = (name, v) => app.t(`accent.${name}.why`, { share: Math.round(100 * v) });
    const round = (x, at, value, name, low = 1) => {
      bead(pen, x, at, radius * 0.9, value, { low: -low, high: low });
      words(pen, app.t(name === "answer" ? "neuron.answer" : `accent.${name}`), x, at === y ? y + 1.1 * radius + 14 : at + radius + 12, { size: 13, align: "center", between: [6, width - 6] });
      belt.spotAround(x, at, radius, told(name, 0));
    };
    round(before, y, b.cs[t][0], "before", 2.5);
    gate(pen, keep, y, radius, f, app.t("accent.forget"), told("forget", f));
    // What is new comes up through its own gate.
    round(keep, below, g, "new");
    arrow(pen, [keep + radius, below], [plus - radius * 0.7, below], meaning.you, 1 + 3 * Math.abs(g));
    gate(pen, plus, below, radius * 0.8, i, app.t("accent.input"), told("input", i), true);
    arrow(pen, [plus, below - radius], [plus, y + 1.15 * radius], meaning.you, 1 + 5 * i);
    words(pen, "+", plus, y, { size: 24, align: "center", bold: true, colour: palette.text });
    round(after, y, b.cs[t + 1][0], "now", 2.5);
    arrow(pen, [show, y + 1.15 * radius], [show, below - radius - 2], meaning.forward, 1 + 5 * o);
    gate(pen, show, y, radius, o, app.t("accent.output"), told("output", o));
    round(show, below, b.ys[t][0], "answer");
  }

  /** Two doors that are as far open as the gate is. */
  function gate(pen, x, y, radius, open, name, why, under = false) {
    const [wide, tall] = [radius * 0.8, radius * 2.4];
    const door = (tall / 2) * (1 - open);
    box(pen, x - wide / 2, y - tall / 2, wide, tall, { ring: meaning.you, radius: 3, thick: 2 });
    box(pen, x - wide / 2, y - tall / 2, wide, door, { fill: meaning.you, radius: 3 });
    box(pen, x - wide / 2, y + tall / 2 - door, wide, door, { fill: meaning.you, radius: 3 });
    const text = `${name} ${Math.round(100 * open)} %`;
    if (under) words(pen, text, x + wide / 2 + 8, y, { size: 13, colour: palette.text, most: 0.38 * belt.width - 3 * radius });
    else words(pen, text, x, y - tall / 2 - 14, { size: 13, align: "center", colour: palette.text, between: [6, belt.width - 6] });
    belt.spot(x - wide, y - tall / 2, 2 * wide, tall, why);
  }

  begin();
  const leave = () => drones?.forEach((one) => one?.stop());
  const key = ({ key: pressed }) => TOUCHES[Number(pressed) - 1] && touched(Number(pressed) - 1);
  const legend = [
    ["block", meaning.you, app.t("accent.is.you")],
    ["dash", meaning.you, app.t("accent.is.wanted")],
    ["block", colours[0], app.t("accent.plain")],
    ["block", colours[1], app.t("accent.cell")],
    ["ring", meaning.wrong, app.t("accent.is.wrong")],
  ];
  const nodes = [row(group("column", picture.node, reach.node), group("column", belt.node, falling.node)), pads.node, group("chips", teach, again)];
  return { nodes, frame, leave, key, legend };
}
