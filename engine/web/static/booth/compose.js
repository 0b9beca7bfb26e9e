// Five tracks, four bars: some cells by hand, the rest by the network.

import { el } from "../lib/dom.js";
import { colour } from "./score.js";
import { drawMusic } from "./score.js";
import { Clip, strike, voice } from "./sound.js";

const BARS = 4;
const ROWS = 6;
const PER_BAR = 8; // eighths
const KEPT = 40; // states that can be undone

export class Compose {
  constructor(app) {
    this.app = app;
    this.node = el("div", "compose");
    this.grid = el("div", "grid");
    this.editor = el("div", "editor");
    this.tools = el("div", "tools");
    this.node.append(this.grid, this.editor, this.tools);
    this.given = new Map(); // "track:bar" -> notes of the visitor
    this.notes = []; // of the network
    this.past = [];
    this.cell = null;
    this.result = null;
    this.seed = 1;
    this.player = null;
  }

  texts() {
    if (this.app.about) this.build();
  }

  get step() {
    return this.app.about.grid;
  }

  get bar() {
    return 4 * this.step;
  }

  remember() {
    this.past.push([new Map(this.given), this.notes, this.result]);
    if (this.past.length > KEPT) this.past.shift();
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    [this.given, this.notes, this.result] = before;
    this.stop();
    this.build();
  }

  build() {
    const { tracks } = this.app.about;
    const { t } = this.app;
    this.cells = [];
    const nodes = tracks.flatMap((name, track) =>
      Array.from({ length: BARS }, (_, bar) => {
        const key = `${track}:${bar}`;
        const mine = this.given.has(key);
        const node = el("button", `cell${mine ? " mine" : ""}${this.cell === key ? " on" : ""}`);
        node.style.setProperty("--colour", colour(name, track));
        node.setAttribute("aria-label", t("compose.cell", { track: t(`track.${name}`), bar: bar + 1 }));
        const canvas = el("canvas");
        node.append(canvas);
        node.addEventListener("click", () => this.open(key));
        this.cells.push({ canvas, track, bar });
        return node;
      }),
    );
    this.grid.replaceChildren(...nodes);
    this.edit();
    const button = (sign, key, does, enabled = true, strong = false) => {
      const node = el("button", strong ? "tool strong" : "tool", sign);
      node.setAttribute("aria-label", t(key));
      node.title = t(key);
      node.disabled = !enabled;
      node.addEventListener("click", does);
      return node;
    };
    this.tools.replaceChildren(
      button("↶", "compose.undo", () => this.undo(), this.past.length > 0),
      button("✦", "compose.fill", () => this.fill(), true, true),
      button(this.player ? "■" : "▶", "compose.hear", () => this.hear(), this.all().length > 0),
      button("➤", "draw.send", () => this.send(), Boolean(this.result)),
    );
    requestAnimationFrame(() => this.draw());
  }

  /** All notes: the visitor's and the network's. */
  all() {
    return [...this.notes, ...[...this.given.values()].flat()].sort((a, b) => a[0] - b[0]);
  }

  music() {
    const { bpm, grid, tracks } = this.app.about;
    return { bpm, grid, tracks, steps: BARS * this.bar, notes: this.all() };
  }

  draw() {
    const all = this.all();
    const at = this.player ? this.player.at / this.player.length : -1;
    for (const { canvas, track, bar } of this.cells) {
      const from = bar * this.bar;
      const notes = all.filter((note) => note[2] === track && note[0] >= from && note[0] < from + this.bar).map(([step, ...more]) => [step - from, ...more]);
      const here = at * BARS - bar;
      drawMusic(canvas, { steps: this.bar, tracks: this.app.about.tracks, notes }, here >= 0 && here < 1 ? here : -1);
    }
    if (this.player && this.app.tab === "compose") requestAnimationFrame(() => this.draw());
  }

  open(key) {
    this.cell = this.cell === key ? null : key;
    this.build();
  }

  pitches(track) {
    const { scales, tracks } = this.app.about;
    const all = scales[tracks[track]];
    const from = Math.max(Math.floor((all.length - ROWS) / 2), 0);
    return all.slice(from, from + ROWS);
  }

  // The cell that is open, as a grid of eighths.
  edit() {
    if (!this.cell) {
      this.editor.replaceChildren(el("p", "soft", this.app.t("compose.touch")));
      return;
    }
    const [track, bar] = this.cell.split(":").map(Number);
    const pitches = this.pitches(track);
    const notes = this.given.get(this.cell) ?? [];
    const name = this.app.about.tracks[track];
    const rows = [...pitches].reverse().map((pitch) => {
      const row = el("div", "row");
      for (let eighth = 0; eighth < PER_BAR; eighth++) {
        const step = bar * this.bar + (eighth * this.bar) / PER_BAR;
        const on = notes.some((note) => note[0] === step && note[3] === pitch);
        const node = el("button", on ? "eighth on" : "eighth");
        node.style.setProperty("--colour", colour(name, track));
        node.setAttribute("aria-pressed", on);
        node.setAttribute("aria-label", `${eighth + 1}`);
        node.addEventListener("click", () => this.toggle(track, step, pitch));
        row.append(node);
      }
      return row;
    });
    const free = el("button", "tool", "⌫");
    free.setAttribute("aria-label", this.app.t("compose.free"));
    free.title = this.app.t("compose.free");
    free.disabled = !this.given.has(this.cell);
    free.addEventListener("click", () => this.free());
    this.editor.replaceChildren(...rows, free);
  }

  toggle(track, step, pitch) {
    voice.wake();
    this.remember();
    const before = this.given.get(this.cell) ?? [];
    const there = before.some((note) => note[0] === step && note[3] === pitch);
    const kept = before.filter((note) => note[0] !== step || note[3] !== pitch);
    if (!there) {
      kept.push([step, this.bar / PER_BAR, track, pitch, 96]);
      strike(this.app.about.tracks[track], pitch, 96, 0.3);
    }
    this.given.set(this.cell, kept);
    const [, bar] = this.cell.split(":").map(Number);
    this.notes = this.notes.filter((note) => note[2] !== track || Math.floor(note[0] / this.bar) !== bar);
    this.result = null;
    this.build();
  }

  free() {
    this.remember();
    this.given.delete(this.cell);
    this.result = null;
    this.build();
  }

  fill() {
    voice.wake();
    const cells = [...this.given.keys()].map((key) => key.split(":").map(Number));
    this.app.connection.send({ kind: "fill", notes: [...this.given.values()].flat(), cells, seed: this.seed++ });
    this.app.say("compose.filling");
  }

  hear() {
    if (this.player) this.stop();
    else {
      this.player = new Clip(this.music(), {
        ended: () => {
          this.player = null;
          this.build();
        },
      });
    }
    this.build();
  }

  stop() {
    this.player?.stop();
    this.player = null;
  }

  send() {
    if (this.result) this.app.connection.send({ kind: "send", drawing: this.result });
  }

  take(message) {
    if (message.kind === "filled") {
      this.remember();
      const own = new Set(this.given.keys());
      this.notes = message.music.notes.filter((note) => !own.has(`${note[2]}:${Math.floor(note[0] / this.bar)}`));
      this.result = message.drawing;
      this.app.say("compose.filled", { name: message.name });
      this.stop();
      if (this.app.tab === "compose") this.hear();
      else this.build();
    } else if (message.kind === "sent" && message.drawing === this.result) this.app.say(`sent.${message.word}`);
    else if (message.kind === "stage" && message.drawing === this.result) this.app.say("draw.stage");
    else if (message.kind === "hello" && this.app.tab === "compose") this.build();
    else if (message.kind === "refused" && !message.ballot) this.app.say("draw.refused", { reason: message.reason });
    else if (message.kind === "slow") this.app.say("slow");
  }

  show() {
    if (this.app.about) this.build();
  }

  hide() {
    this.stop();
  }
}
