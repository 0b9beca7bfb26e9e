// A finger's line: heard while it is drawn, then played by the band, which goes on with it.

import { el } from "../lib/dom.js";
import { COLUMNS, heights, pitchAt, thinned, velocityOf } from "./line.js";
import { colour, fit } from "./score.js";
import { Clip, strike, voice } from "./sound.js";

const THICK = [0.15, 0.55, 1];
const UNDO_S = 10;
const MOST_LINES = 12;

export class Draw {
  constructor(app) {
    this.app = app;
    this.node = el("div", "draw");
    this.canvas = el("canvas", "sheet");
    this.canvas.setAttribute("role", "img");
    this.colours = el("div", "colours");
    this.tools = el("div", "tools");
    this.node.append(this.colours, this.canvas, this.tools);
    this.lines = [];
    this.thickness = 0.55;
    this.track = null;
    this.result = null;
    this.player = null;
    this.stage = null;
    this.seed = 1; // the same line again is gone on with in another way
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) this.canvas.addEventListener(kind, (event) => this[kind](event));
    this.figures = { strokes: 0, heard_ms: [] };
  }

  texts() {
    const { t } = this.app;
    this.canvas.setAttribute("aria-label", t("draw.sheet"));
    this.buttons();
  }

  button(sign, key, does, enabled = true, strong = false) {
    const node = el("button", strong ? "tool strong" : "tool", sign);
    node.setAttribute("aria-label", this.app.t(key));
    node.title = this.app.t(key);
    node.disabled = !enabled;
    node.addEventListener("click", does);
    return node;
  }

  buttons() {
    const { tracks, scales } = this.app.about ?? {};
    if (!tracks) return;
    this.track ??= Math.max(tracks.indexOf("lead"), 0);
    this.colours.replaceChildren(
      ...tracks.map((name, track) => {
        const node = el("button", track === this.track ? "dot on" : "dot");
        node.style.background = colour(name, track);
        node.setAttribute("aria-label", this.app.t(`track.${name}`));
        node.setAttribute("aria-pressed", track === this.track);
        node.addEventListener("click", () => this.choose(track));
        return node;
      }),
      el("span", "gap"),
      ...THICK.map((thickness) => {
        const node = el("button", thickness === this.thickness ? "thick on" : "thick");
        node.setAttribute("aria-label", this.app.t("draw.thick"));
        node.setAttribute("aria-pressed", thickness === this.thickness);
        const stroke = el("i");
        stroke.style.height = `${2 + 10 * thickness}px`;
        node.append(stroke);
        node.addEventListener("click", () => {
          this.thickness = thickness;
          this.buttons();
        });
        return node;
      }),
    );
    this.scales = scales;
    const drawn = this.lines.length > 0;
    this.tools.replaceChildren(
      this.button("↶", "draw.back", () => this.back(), drawn),
      this.button("▶", "draw.hear", () => this.hear(), drawn, true),
      this.button("➤", "draw.send", () => this.send(), Boolean(this.result) && !this.sent),
      ...(this.sent ? [this.button(`✕ ${this.left}`, "draw.undo", () => this.undo(), this.left > 0)] : []),
    );
  }

  get left() {
    return Math.max(Math.ceil(UNDO_S - (performance.now() - this.sentAt) / 1000), 0);
  }

  choose(track) {
    this.track = track;
    this.buttons();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const clip = (value) => Math.min(Math.max(value, 0), 1);
    return [clip((event.clientX - box.left) / box.width), clip(1 - (event.clientY - box.top) / box.height)];
  }

  pointerdown(event) {
    event.preventDefault();
    if (this.lines.length >= MOST_LINES || !this.app.about) return;
    voice.wake();
    this.canvas.setPointerCapture?.(event.pointerId);
    if (this.sent || this.stage) this.clear();
    this.player?.stop();
    this.player = null;
    this.result = null;
    this.line = [this.track, this.thickness, []];
    this.sounding = null;
    this.pointermove(event);
  }

  pointermove(event) {
    if (!this.line) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.line[2].push(this.place(one).map((value) => Math.round(1000 * value) / 1000));
    this.sing(event);
    this.draw();
  }

  // What the finger is on is heard at once: each new pitch, or each new eighth of a drum.
  sing(event) {
    const [track, thickness, points] = this.line;
    const [x, y] = points[points.length - 1];
    const name = this.app.about.tracks[track];
    const pitch = pitchAt(y, this.app.about.scales[name]);
    const column = Math.min(Math.floor(x * COLUMNS), COLUMNS - 1);
    const now = `${pitch}${name === "drums" ? `:${column}` : ""}`;
    if (now === this.sounding) return;
    this.sounding = now;
    if (voice.asleep) return;
    strike(name, pitch, velocityOf(thickness), 0.3);
    this.figures.strokes++;
    this.figures.heard_ms.push(performance.now() - event.timeStamp + 1000 * (voice.context.baseLatency ?? 0));
  }

  pointerup() {
    if (!this.line) return;
    this.line[2] = thinned(this.line[2]);
    if (this.line[2].length > 1 || this.app.about.tracks[this.line[0]] === "drums") this.lines.push(this.line);
    this.line = null;
    this.ask();
    this.buttons();
    this.draw();
  }

  pointercancel() {
    this.pointerup();
  }

  ask() {
    this.result = null;
    if (this.lines.length) this.app.connection.send({ kind: "draw", lines: this.lines, seed: this.seed++ });
  }

  back() {
    this.lines.pop();
    this.player?.stop();
    this.player = null;
    this.result = null;
    if (this.lines.length) this.ask();
    this.buttons();
    this.draw();
  }

  clear() {
    [this.lines, this.result, this.sent, this.stage] = [[], null, false, null];
  }

  hear() {
    voice.wake();
    if (this.player) {
      this.player.stop();
      this.player = null;
    } else if (this.result) {
      this.player = new Clip(this.result.music, {
        ended: () => {
          this.player = null;
          this.draw();
        },
      });
      this.frame();
    } else this.ask();
  }

  send() {
    if (!this.result) return;
    this.app.connection.send({ kind: "send", drawing: this.result.drawing });
  }

  undo() {
    if (this.result) this.app.connection.send({ kind: "undo", drawing: this.result.drawing });
  }

  take(message) {
    const { kind } = message;
    if (kind === "drawn") {
      this.result = message;
      this.app.say("draw.drawn", { name: message.name });
      this.buttons();
      this.draw();
    } else if (kind === "sent" && message.drawing === this.result?.drawing) this.told(message.word);
    else if (kind === "stage" && message.drawing === this.result?.drawing) {
      this.app.say("draw.stage");
      this.stage = performance.now() + 1000 * message.in_s;
      this.frame();
    } else if (kind === "hello" || kind === "generation") this.buttons();
    else if (kind === "slow") this.app.say("slow");
    else if (kind === "refused" && !message.ballot) this.app.say("draw.refused", { reason: message.reason });
  }

  told(word) {
    if (word === "queued" || word === "held") {
      this.sent = true;
      this.sentAt = performance.now();
      const tick = setInterval(() => {
        this.buttons();
        if (!this.left || !this.sent) clearInterval(tick);
      }, 1000);
    } else if (word === "undone") this.clear();
    this.app.say(`sent.${word}`);
    this.buttons();
    this.draw();
  }

  frame() {
    this.draw();
    if (this.app.tab === "draw" && (this.player || this.stage)) requestAnimationFrame(() => this.frame());
  }

  draw() {
    const { pen, width, height } = fit(this.canvas);
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = "#1d2530";
    pen.lineWidth = 1;
    for (let column = 0; column <= COLUMNS; column += 2) {
      pen.globalAlpha = column % 8 ? 0.5 : 1;
      pen.beginPath();
      pen.moveTo((column / COLUMNS) * width, 0);
      pen.lineTo((column / COLUMNS) * width, height);
      pen.stroke();
    }
    pen.globalAlpha = 1;
    const tracks = this.app.about?.tracks ?? [];
    for (const line of this.line ? [...this.lines, this.line] : this.lines) paintLine(pen, line, tracks, width, height, this.app.about?.scales);
    if (!this.lines.length && !this.line) {
      pen.fillStyle = "#74839a";
      pen.font = "44px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.fillText("☝", width / 2, height / 2);
    }
    const at = this.playhead();
    if (at >= 0 && at <= 1) {
      pen.fillStyle = "#e9eef4";
      pen.fillRect(at * width, 0, 2, height);
    }
  }

  // Where in the two bars of the sheet what is heard is; beyond them the network goes on alone.
  playhead() {
    const music = this.result?.music;
    if (!music) return -1;
    const bars_s = (60 / (this.app.about?.bpm ?? music.bpm)) * 8;
    if (this.player) return this.player.at / bars_s;
    return this.stage ? (performance.now() - this.stage) / 1000 / bars_s : -1;
  }

  show() {
    this.buttons();
    this.draw();
  }

  hide() {
    this.player?.stop();
    this.player = null;
    this.line = null;
  }
}

/** A line as it was drawn, and on it the notes that it means. */
export function paintLine(pen, [track, thickness, points], tracks, width, height, scales = null) {
  const name = tracks[track];
  const place = ([x, y]) => [x * width, (1 - y) * height];
  pen.strokeStyle = pen.fillStyle = colour(name, track);
  pen.lineWidth = 2 + 12 * thickness;
  pen.lineCap = pen.lineJoin = "round";
  pen.globalAlpha = 0.55;
  pen.beginPath();
  points.forEach((point, k) => (k ? pen.lineTo(...place(point)) : pen.moveTo(...place(point))));
  if (points.length === 1) pen.lineTo(...place(points[0]).map((value) => value + 0.1));
  pen.stroke();
  pen.globalAlpha = 1;
  const pitches = scales?.[name];
  if (!pitches || pitches.length < 2) return;
  heights(points).forEach((y, column) => {
    if (y === null) return;
    const step = Math.floor(y * (pitches.length - 1) + 0.5) / (pitches.length - 1);
    pen.fillRect((column / COLUMNS) * width + 1, (1 - step) * (height - 6) + 1, width / COLUMNS - 2, 4);
  });
}
