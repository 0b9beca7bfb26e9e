// 3a. Memory: C D E C, a recurrent network unrolled; forwards the state, backwards the gradients.

import { palette } from "../../lib/colour.js";
import { Adam, Rnn, oneHot, softmax, surprise } from "../../lib/nn.js";
import { arrow, bead, box, chart, curve, dot, meaning, number, onConnection, scale, words } from "../draw.js";
import { button, group, noteName, press, row, sheet } from "../parts.js";

const PITCHES = [60, 62, 64]; // C, D, E
const GIVEN = [0, 1, 2, 0, 0, 1, 2, 0]; // C D E C twice: after the same C comes D, or C
const UNITS = 4;
const SEED = 2;
const STEP_S = 0.55;
const BACK_S = 1;
const MOST = 150;

export function create(app) {
  let [network, adam, losses, playing, at, since, backwards] = [null, null, [], false, 0, 0, false];
  const names = PITCHES.map((pitch) => noteName(pitch));
  const xs = GIVEN.slice(0, -1).map((sign) => oneHot(sign, names.length));
  const wanted = GIVEN.slice(1);
  let [done, back, shown] = [null, null, 0];
  const picture = sheet(app.t("memory.sees"), null, app.t("memory.unrolled"));
  const falling = sheet(app.t("memory.falls"), null, app.t("memory.loss"));
  const play = button(app.t("play"), () => {
    if (losses.length >= MOST) begin();
    press(play, (playing = !playing));
  }, { strong: true, pressed: false, why: app.t("memory.play.why") });
  const step = button(app.t("memory.learn"), () => {
    if (losses.length < MOST) learn();
    app.say("memory.says", { nats: back.loss.toFixed(2) });
  }, { why: app.t("memory.learn.why") });
  const turn = button(app.t("memory.back"), () => {
    goBack(!backwards);
    if (!backwards) return;
    app.happened("unrolled");
  }, { pressed: false, why: app.t("memory.back.why") });
  const again = button(app.t("again"), begin, { why: app.t("again.why") });

  function begin() {
    network = new Rnn(names.length, UNITS, names.length, SEED);
    adam = new Adam(0.03);
    [losses, shown] = [[], 0];
    look();
  }

  function look() {
    done = network.forward(xs);
    const { loss, gradients } = surprise(done.ys, wanted);
    back = { loss: loss / wanted.length, dys: gradients, ...network.backward(done, gradients) };
  }

  function learn() {
    losses.push(back.loss);
    adam.step(network.values, back.gradients);
    look();
  }

  function goBack(on) {
    [backwards, at] = [on, on ? xs.length - 1 : 0];
    press(turn, on);
  }

  function frame(now, alone) {
    if (playing || (alone && shown > 1)) for (let k = app.reduced ? 3 : 1; k > 0 && losses.length < MOST; k--) learn();
    if (losses.length >= MOST && playing) press(play, (playing = false));
    if (now - since > (backwards ? BACK_S : STEP_S)) {
      since = now;
      if (backwards && at > 0) at--;
      else if (!backwards) at = (at + 1) % xs.length;
      // Just watched: once forwards, once back, then it learns, and plays what it knows.
      if (alone && !playing && at === 0) {
        if (shown < 2) goBack(shown === 0);
        else if (losses.length >= MOST) begin();
        shown = (shown + 1) % 6;
      }
      app.voice.pluck(PITCHES[GIVEN[at]], { seconds: 0.4, level: backwards ? 0.15 : 0.35, bright: backwards ? 0.7 : 0.2 });
    }
    draw(picture.fit(), picture.width, picture.height, now);
    if (!falling.changed(losses.length)) return;
    const pen = falling.fit();
    const frameOf = chart(pen, 4, 4, falling.width - 10, falling.height - 8, { across: app.t("memory.steps", { steps: MOST }), most: 1.2, count: MOST });
    if (losses.length > 1) curve(pen, frameOf, losses, meaning.forward, 2.5);
    falling.spot(frameOf.x, frameOf.y, frameOf.width, frameOf.height, app.t("memory.says", { nats: back.loss.toFixed(2) }));
  }

  function draw(pen, width, height, now) {
    const moments = Math.min(Math.max(Math.floor(width / (118 * scale())), 3), xs.length);
    const first = Math.min(Math.max(at - (moments >> 1), 0), xs.length - moments);
    const left = width > 700 ? 92 * scale() : 10;
    const gap = (width - left - 8) / moments;
    const radius = Math.min(gap / 6.2, height / 17, 26 * scale());
    const pitch = 2 * radius + (backwards ? 20 : 8);
    const rows = { next: height * 0.25, memory: height * 0.57, note: height - 22 };
    if (left > 20) {
      words(pen, app.t("memory.next"), 12, rows.next - height * 0.1, { size: 13, most: left - 12 });
      words(pen, app.t("memory.state"), 12, rows.memory, { size: 13, most: left - 12 });
      words(pen, app.t("memory.given"), 12, rows.note, { size: 13, most: left - 12 });
    }
    for (let k = 0; k < moments; k++) {
      const t = first + k;
      column(pen, { t, x: left + (k + 0.5) * gap, gap, radius, pitch, rows, height, now, open: k > 0 });
    }
  }

  /** One moment: the note below, the units in the middle, what is expected above. */
  function column(pen, { t, x, gap, radius, pitch, rows, height, now, open }) {
    const here = t === at;
    const passed = backwards && t >= at; // the gradients were here
    if (here) box(pen, x - gap / 2 + 3, 6, gap - 6, height - 12, { fill: "#141b25", radius: 8 });
    words(pen, names[GIVEN[t]], x, rows.note, { size: 22, colour: here ? meaning.you : palette.text, align: "center", bold: true });
    picture.spot(x - 24, rows.note - 16, 48, 32, app.t("memory.note", { note: names[GIVEN[t]] }), () => app.voice.pluck(PITCHES[GIVEN[t]], {}));
    const block = pitch + radius; // half of what the units take, from their middle
    const [bottom, top] = [rows.memory + block, rows.memory - block];
    const bars = rows.next + 20;
    link(pen, [x, rows.note - 18], [x, bottom - 2], { here, passed, name: "W", size: size(back.dzs[t]) * size(xs[t]), now });
    link(pen, [x, top + 2], [x, bars + 12], { here, passed, name: "V", size: size(back.dys[t]) * size(done.hs[t + 1]), now });
    if (open) {
      const ends = [[x - gap + 2.1 * radius + 4, rows.memory], [x - 2.1 * radius - 4, rows.memory]];
      link(pen, ...ends, { here, passed, name: "U", size: size(back.dzs[t]) * size(done.hs[t]), now, flat: true });
    }
    for (let u = 0; u < UNITS; u++) {
      const [px, py] = [x + ((u % 2) - 0.5) * 2.15 * radius, rows.memory + ((u >> 1) - 0.5) * pitch - (backwards ? 8 : 0)];
      const [h, dh] = [done.hs[t + 1][u], back.dhs[t][u]];
      bead(pen, px, py, radius, h, { ring: here ? meaning.forward : palette.line });
      if (passed) words(pen, number(dh, digits(dh)), px, py + radius + 9, { size: 12, colour: meaning.back, align: "center", bold: true, most: 2.15 * radius - 5 });
      picture.spotAround(px, py, radius, app.t("memory.unit", { unit: u + 1, note: names[GIVEN[t]], h: number(h), dh: number(dh, 3) }));
    }
    const p = softmax(done.ys[t]);
    const tall = rows.next - 26;
    names.forEach((name, s) => {
      const [bx, half] = [x + (s - 1) * Math.min(gap / 3.4, 40), Math.min(gap / 9, 13)];
      const up = p[s] * tall;
      box(pen, bx - half, rows.next - tall, 2 * half, tall, { fill: palette.ground, radius: 3 });
      box(pen, bx - half, rows.next - up, 2 * half, up, { fill: s === wanted[t] ? meaning.yes : meaning.no, radius: 3 });
      words(pen, name, bx, rows.next + 12, { size: 13, align: "center", colour: s === wanted[t] ? meaning.yes : palette.soft, bold: s === wanted[t], most: gap / 3 });
      picture.spot(bx - half - 3, rows.next - tall, 2 * half + 6, tall + 20, app.t("memory.expects", { note: name, share: Math.round(100 * p[s]), wanted: names[wanted[t]] }));
    });
  }

  /** A shared connection at one moment: forwards what it carries, backwards what this moment adds to its gradient. */
  function link(pen, from, to, { here, passed, name, size: gradient, now, flat = false }) {
    const colour = passed ? meaning.back : here ? meaning.forward : "#33404f";
    if (passed) arrow(pen, to, from, colour, here ? 3 : 2);
    else arrow(pen, from, to, colour, here ? 3 : 2);
    if (here && !app.reduced) {
      const share = ((now - since) / (backwards ? BACK_S : STEP_S)) % 1;
      const [a, b] = passed ? [to, from] : [from, to];
      dot(pen, a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), 4, colour);
    }
    const text = passed ? `d${name} ${number(gradient, digits(gradient))}` : name;
    if (!flat) onConnection(pen, from, to, text, 0.5, colour === "#33404f" ? palette.soft : colour);
    else words(pen, passed ? `d${name}` : name, (from[0] + to[0]) / 2, from[1] - 14, { size: 12, align: "center", colour: passed ? meaning.back : palette.soft });
    if (flat && passed) words(pen, number(gradient, digits(gradient)), (from[0] + to[0]) / 2, from[1] + 15, { size: 12, align: "center", colour: meaning.back });
    const [x, y] = [Math.min(from[0], to[0]) - 10, Math.min(from[1], to[1])];
    picture.spot(x, y - 6, Math.abs(to[0] - from[0]) + 20, Math.abs(to[1] - from[1]) + 12, app.t(`memory.${name}`));
  }

  const digits = (value) => (Math.abs(value) < 0.0095 ? 3 : 2);
  const size = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  begin();
  const legend = [
    ["block", meaning.yes, app.t("memory.is.wanted")],
    ["block", meaning.no, app.t("memory.is.other")],
    ["line", meaning.forward, app.t("is.forward")],
    ["line", meaning.back, app.t("is.back")],
  ];
  return { nodes: [row(group("column tall", picture.node, falling.node)), group("chips", play, step, turn, again)], frame, legend };
}
