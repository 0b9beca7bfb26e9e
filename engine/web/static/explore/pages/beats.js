// 3b. Three beats: one recurrent neuron against a waltz, then four.

import { palette, shade } from "../../lib/colour.js";
import { Adam, Rnn, distance } from "../../lib/nn.js";
import { Frame, chart, curve, dot, line, meaning, number, scale, upright, words } from "../draw.js";
import { button, group, press, row, sheet } from "../parts.js";

const LENGTH = 24;
const BEAT_S = 0.42;
const MOST = 300;
const REST_S = 10;
const WANTED = Array.from({ length: LENGTH }, (_, t) => Float64Array.of(t % 3 === 0 ? 1 : -1));
const SILENT = Array.from({ length: LENGTH }, () => Float64Array.of(1)); // all it is given: that time goes on
const CHORD = [60, 64, 67];

export function create(app) {
  let [units, seed, network, adam, losses, playing] = [1, 1, null, null, [], false];
  let [beat, since, done, ended] = [0, 0, null, 0];
  const picture = sheet(app.t("beats.sees"), null, app.t("beats.bars"));
  const web = sheet(app.t("beats.web"));
  const title = web.node.insertBefore(document.createElement("figcaption"), web.node.firstChild);
  const falling = sheet(app.t("beats.falls"), null, app.t("beats.loss"));
  const play = button(app.t("play"), () => {
    if (losses.length >= MOST) begin(units, seed);
    press(play, (playing = !playing));
  }, { strong: true, pressed: false, why: app.t("beats.play.why") });
  const one = button(app.t("beats.one"), () => begin(1), { pressed: true, why: app.t("beats.one.why") });
  const four = button(app.t("beats.four"), () => begin(4), { pressed: false, why: app.t("beats.four.why") });
  const other = button(app.t("layers.other"), () => begin(units, seed + 1), { why: app.t("layers.other.why") });

  function begin(count, next = 1) {
    [units, seed, ended] = [count, next, 0];
    network = new Rnn(1, units, 1, seed);
    adam = new Adam(0.02);
    losses = [];
    look();
    press(one, units === 1);
    press(four, units === 4);
    title.textContent = app.t(units === 1 ? "beats.cobweb" : "beats.round");
  }

  function look() {
    done = network.forward(SILENT);
    return distance(done.ys, WANTED);
  }

  function learn() {
    const { loss, gradients } = look();
    losses.push(loss / LENGTH);
    adam.step(network.values, network.backward(done, gradients).gradients);
    look();
    if (kept() === LENGTH && units === 4) app.happened("four");
    else if (losses.length === MOST) app.say("beats.says", { kept: kept(), count: LENGTH });
  }

  const good = (t) => done.ys[t][0] > 0 === WANTED[t][0] > 0;
  const kept = () => WANTED.filter((_, t) => good(t)).length;

  /** Oom or pah, as the network says. */
  function sound(kick) {
    if (kick) {
      app.voice.drum(0, 0.8);
      app.voice.pluck(36, { seconds: 0.45, level: 0.5, bright: 0.3 });
    } else for (const pitch of CHORD) app.voice.pluck(pitch, { seconds: 0.2, level: 0.16, bright: 0.3 });
  }

  function frame(now, alone) {
    if (playing || alone) {
      for (let k = 0; k < 3 && losses.length < MOST; k++) learn();
      if (losses.length >= MOST) {
        press(play, (playing = false));
        ended ||= now;
        if (alone && now - ended > REST_S) begin(units === 1 ? 4 : 1);
      }
    }
    if (now - since > BEAT_S) {
      since = now;
      beat = (beat + 1) % LENGTH;
      sound(done.ys[beat][0] > 0);
    }
    if (!picture.changed(beat, units, seed, losses.length)) return;
    draw(picture.fit(), picture.width, picture.height);
    if (units === 1) cobweb(web.fit(), web.width, web.height);
    else round(web.fit(), web.width, web.height);
    const pen = falling.fit();
    const frameOf = chart(pen, 4, 4, falling.width - 10, falling.height - 8, { across: app.t("layers.passes", { passes: MOST }), most: 0.8, count: MOST });
    if (losses.length > 1) curve(pen, frameOf, losses, meaning.forward, 2.5);
    falling.spot(frameOf.x, frameOf.y, frameOf.width, frameOf.height, app.t("beats.says", { kept: kept(), count: LENGTH }));
  }

  function draw(pen, width, height) {
    const rows = units + 2; // what is wanted, what it plays, its units
    const high = Math.min((height - 20) / (rows + 0.6), 96);
    const left = Math.min(118 * scale(), width * 0.24);
    const gap = (width - left - 12) / LENGTH;
    const top = (height - high * rows) / 2;
    const lane = (k) => top + (k + 0.5) * high;
    pen.fillStyle = "#141b25";
    pen.fillRect(left + beat * gap, top, gap, high * rows);
    for (let t = 0; t < LENGTH; t += 3) line(pen, [[left + t * gap, top], [left + t * gap, top + high * rows]], palette.line, 1);
    words(pen, app.t("beats.wanted"), 12, lane(0), { size: 13, colour: palette.text, most: left - 18 });
    words(pen, app.t("beats.plays"), 12, lane(1), { size: 13, colour: palette.text, most: left - 18 });
    const most = Math.min(gap * 0.42, high * 0.34);
    for (let t = 0; t < LENGTH; t++) {
      const x = left + (t + 0.5) * gap;
      const y = done.ys[t][0];
      dot(pen, x, lane(0), WANTED[t][0] > 0 ? most : most * 0.35, WANTED[t][0] > 0 ? meaning.yes : meaning.no);
      const size = most * (0.25 + 0.75 * Math.min(Math.max((y + 1) / 2, 0), 1));
      dot(pen, x, lane(1), size, y > 0 ? meaning.yes : meaning.no, good(t) ? null : meaning.wrong, 3);
      picture.spot(x - gap / 2, top, gap, 2 * high, app.t("beats.beat", { beat: (t % 3) + 1, wanted: app.t(WANTED[t][0] > 0 ? "beats.oom" : "beats.pah"), answer: number(y) }));
      for (let u = 0; u < units; u++) {
        const h = done.hs[t + 1][u];
        pen.fillStyle = shade(palette.luts.diverging, h, -1, 1);
        pen.fillRect(x - gap / 2 + 1, lane(2 + u) - high * 0.36, gap - 2, high * 0.72);
        picture.spot(x - gap / 2, lane(2 + u) - high / 2, gap, high, app.t("beats.unit", { unit: u + 1, value: number(h) }));
      }
    }
    for (let u = 0; u < units; u++) words(pen, app.t("beats.neuron", { unit: u + 1 }), 12, lane(2 + u), { size: 13, most: left - 18 });
  }

  /** One neuron goes from what it was to what it is along one curve: a bent line, and no curve goes round in threes. */
  function cobweb(pen, width, height) {
    const side = Math.min(width - 60, height - 56);
    const square = new Frame((width - side) / 2 + 14, (height - side) / 2 - 10, side, side, [-1.05, 1.05], [-1.05, 1.05]);
    axes(pen, square, app.t("beats.before"), app.t("beats.next"));
    const { U, W, b } = network.values;
    const after = (h) => Math.tanh(U[0] * h + W[0] + b[0]);
    line(pen, [[square.px(-1), square.py(-1)], [square.px(1), square.py(1)]], palette.soft, 1, [4, 6]);
    line(pen, Array.from({ length: 61 }, (_, k) => -1 + k / 30).map((h) => [square.px(h), square.py(after(h))]), meaning.forward, 3);
    const way = [];
    for (let t = 0; t <= beat; t++) {
      const [h, next] = [done.hs[t][0], done.hs[t + 1][0]];
      way.push([square.px(h), square.py(t ? h : -1.05)], [square.px(h), square.py(next)], [square.px(next), square.py(next)]);
    }
    line(pen, way, meaning.you, 1.6);
    const [x, y] = way[way.length - 2];
    dot(pen, x, y, 7, done.ys[beat][0] > 0 ? meaning.yes : meaning.no, palette.text);
    web.spot(square.x, square.y, side, side, app.t("beats.cobweb.why"));
  }

  /** Four neurons: the two that move most, each against the other. Their numbers go round in threes. */
  function round(pen, width, height) {
    const settled = done.hs.slice(LENGTH / 2 + 1);
    const moves = Array.from({ length: units }, (_, u) => {
      const values = settled.map((h) => h[u]);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    });
    const [a, b] = moves.map((_, u) => u).sort((p, q) => moves[q] - moves[p]);
    const side = Math.min(width - 60, height - 56);
    const square = new Frame((width - side) / 2 + 14, (height - side) / 2 - 10, side, side, [-1.15, 1.15], [-1.15, 1.15]);
    axes(pen, square, app.t("beats.neuron", { unit: a + 1 }), app.t("beats.neuron", { unit: b + 1 }));
    const at = (t) => [square.px(done.hs[t + 1][a]), square.py(done.hs[t + 1][b])];
    const from = Math.max(beat - 9, 0);
    for (let t = from + 1; t <= beat; t++) {
      pen.globalAlpha = 0.15 + (0.85 * (t - from)) / (beat - from);
      line(pen, [at(t - 1), at(t)], meaning.forward, 2);
    }
    pen.globalAlpha = 1;
    for (let t = 0; t < LENGTH; t++) {
      dot(pen, ...at(t), t === beat ? 11 : 5, WANTED[t][0] > 0 ? meaning.yes : meaning.no, t === beat ? palette.text : null);
      web.spotAround(...at(t), 9, app.t("beats.beat", { beat: (t % 3) + 1, wanted: app.t(WANTED[t][0] > 0 ? "beats.oom" : "beats.pah"), answer: number(done.ys[t][0]) }));
    }
    const [x, y] = at(beat);
    words(pen, String((beat % 3) + 1), x, y, { size: 13, align: "center", bold: true, colour: palette.ground });
  }

  function axes(pen, square, across, up) {
    pen.strokeStyle = palette.line;
    pen.lineWidth = 1;
    pen.strokeRect(square.x, square.y, square.width, square.height);
    words(pen, across, square.x + square.width / 2, square.y + square.height + 16, { size: 13, align: "center", most: square.width });
    upright(pen, up, square.x - 16, square.y + square.height / 2, { size: 13, align: "center", most: square.height });
  }

  begin(1);
  const legend = [
    ["dot", meaning.yes, app.t("beats.is.kick")],
    ["dot", meaning.no, app.t("beats.is.chord")],
    ["ring", meaning.wrong, app.t("beats.is.wrong")],
    ["line", meaning.forward, app.t("beats.is.curve")],
    ["line", meaning.you, app.t("beats.is.way")],
  ];
  return { nodes: [row(group("column", picture.node, falling.node), web.node), group("chips", play, one, four, other)], frame, legend };
}
