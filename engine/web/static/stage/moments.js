// Moments alike: how similar the network's state at each step is to every other, and which moments are like the one picked.

import { palette, shade } from "../lib/colour.js";
import { chip, el, tools } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { legend } from "../lib/legend.js";
import { pieces } from "../lib/likeness.js";
import { Rows, barsBetween } from "../lib/notes.js";
import { mod } from "../lib/number.js";
import { Sheet, font, outlined, textSize } from "../lib/sheet.js";
import { barName, drawBars, drawNotes } from "./rollstrip.js";

export class MomentsView {
  constructor(app) {
    this.app = app;
  }

  sentence() {
    return t("moments.sentence");
  }

  mount(root) {
    const { app } = this;
    this.rows = new Rows(app.net);
    this.follow = chip(t("follow"), t("follow.why"), () => this.pick(null), "follow");
    const line = tools(this.sentence(), this.follow);
    const page = el("div", "moments");
    const left = el("div", "matrix-box");
    const head = el("h3", "", t("moments.matrix"));
    head.dataset.why = t("moments.matrix.why");
    head.append(legend({ min: 0, max: 1 }));
    left.append(head);
    this.matrix = new Sheet(left, "matrix", "", t("moments.matrix"));
    const right = el("div", "alike");
    this.title = el("h3", "");
    this.title.dataset.why = t("moments.picked.why");
    right.append(this.title);
    this.cards = [];
    for (let k = 0; k < 5; k++) {
      const card = el("button", "moment");
      card.hidden = true; // until there is a moment to show
      const text = el("span", "moment-text");
      card.append(text);
      const sheet = new Sheet(card, "moment-roll", "");
      right.append(card);
      this.cards.push({ card, text, sheet, number: null });
    }
    const bottom = el("div", "along");
    const along = el("h3", "", t("moments.along"));
    along.dataset.why = t("moments.along.why");
    bottom.append(along);
    this.along = new Sheet(bottom, "along-line", "", t("moments.along"));
    page.append(left, right, bottom);
    root.append(line, page);
    for (const { card } of this.cards) card.onclick = () => this.openCard(card);
    this.matrix.canvas.addEventListener("click", (event) => this.clickMatrix(event));
    this.matrix.canvas.addEventListener("pointermove", (event) => this.explain(event));
    this.matrix.canvas.addEventListener("pointerleave", () => app.why.hide());
    this.along.canvas.addEventListener("click", (event) => {
      const number = this.alongNumber(event);
      if (number !== null) this.pick(number);
    });
    this.along.canvas.addEventListener("pointermove", (event) => {
      const number = this.alongNumber(event);
      if (number === null) app.why.hide();
      else app.why.say(t("moments.like", { place: app.net.place(app.history.at(number) ?? { step: 0 }), percent: this.percent(number) }), event.clientX, event.clientY);
    });
    this.along.canvas.addEventListener("pointerleave", () => app.why.hide());
    this.image = null;
    this.watch = new ResizeObserver(() => this.change());
    this.watch.observe(page);
    this.change();
  }

  unmount() {
    this.watch.disconnect();
    this.app.why.hide();
  }

  pick(number) {
    this.app.moment = number;
    if (number !== null) this.app.happened("moment");
    this.change();
  }

  get number() {
    const { moment, likeness } = this.app;
    return moment !== null && likeness.has(moment) ? moment : likeness.count - 1;
  }

  change() {
    this.follow?.setAttribute("aria-pressed", String(this.app.moment === null));
    this.dirty = true;
    this.cardsDue = true;
  }

  step() {
    this.dirty = true;
  }

  restart() {
    this.image = null;
    this.change();
  }

  draw() {
    if (!this.dirty) return false;
    const { history, likeness } = this.app;
    if (!history.last || !likeness.length) return false;
    this.dirty = likeness.count < history.count; // the past is still being compared
    this.drawMatrix();
    this.drawAlong();
    // Cards that change at every step could not be read.
    const beat = this.app.net.where(history.last).begins;
    if (this.cardsDue || (this.app.moment === null && beat)) {
      this.cardsDue = false;
      this.drawCards();
    }
    return true;
  }

  // Place of the oldest step shown, and how many there are room for: the picture grows until it is full, then moves on.
  span() {
    const { likeness, net } = this.app;
    const bar = net.stepsPerBar;
    const shown = Math.min(Math.max(Math.ceil(likeness.length / (4 * bar)) * 4 * bar, 8 * bar), likeness.room);
    return { from: likeness.count - Math.min(likeness.length, shown), shown };
  }

  drawMatrix() {
    const { likeness, history, net } = this.app;
    const { room } = likeness;
    const lut = new Uint32Array(palette.luts.sequential.buffer);
    if (!this.image) {
      this.page = document.createElement("canvas");
      this.page.width = this.page.height = room;
      this.image = new ImageData(room, room);
      this.done = likeness.count - likeness.length;
    }
    const out = new Uint32Array(this.image.data.buffer);
    const pen = this.page.getContext("2d");
    const fresh = likeness.count - this.done;
    for (let n = Math.max(this.done, likeness.count - likeness.length); n < likeness.count; n++) {
      const at = mod(n, room);
      for (let back = 0; back < likeness.length; back++) {
        const m = n - back;
        if (!likeness.has(m)) break;
        // Contrast where it matters: states of one piece are all somewhat alike.
        const v = likeness.matrix[at * room + mod(m, room)];
        const colour = lut[this.contrast(v)];
        out[at * room + mod(m, room)] = out[mod(m, room) * room + at] = colour;
      }
      if (fresh <= 4) {
        pen.putImageData(this.image, 0, 0, 0, at, room, 1);
        pen.putImageData(this.image, 0, 0, at, 0, 1, room);
      }
    }
    if (fresh > 4) pen.putImageData(this.image, 0, 0);
    this.done = likeness.count;

    const sheet = this.matrix;
    const show = sheet.fit();
    const side = Math.min(sheet.width, sheet.height);
    const { from, shown } = this.span();
    const count = likeness.count - from;
    const one = side / shown;
    this.scale = { side, from, shown, one };
    show.fillStyle = "#0a0e13";
    show.fillRect(0, 0, side, side);
    show.imageSmoothingEnabled = false;
    for (const [a, la] of pieces(from, count, room)) {
      for (const [b, lb] of pieces(from, count, room)) {
        show.drawImage(this.page, mod(a, room), mod(b, room), la, lb, (a - from) * one, (b - from) * one, la * one, lb * one);
      }
    }
    const size = textSize(12);
    show.font = font(12);
    const wide = barName(show);
    const every = Math.max(barsBetween(one * net.stepsPerBar, wide), 4);
    for (let n = from; n < from + shown; n++) {
      const { bar, within } = history.where(n);
      if (bar < 0 || within || bar % every) continue;
      show.fillStyle = "rgba(255,255,255,.14)";
      show.fillRect((n - from) * one, 0, 1, side);
      show.fillRect(0, (n - from) * one, side, 1);
      show.fillStyle = palette.text;
      if (n > from && (n - from) * one < side - wide) outlined(show, t("bar", { number: bar + 1 }), (n - from) * one + 4, size + 1);
    }
    const here = (this.number - from + 0.5) * one;
    show.strokeStyle = palette.player;
    show.lineWidth = 1.5;
    show.strokeRect(0.75, here - Math.max(one, 3) / 2, side - 1.5, Math.max(one, 3));
    show.strokeRect(here - Math.max(one, 3) / 2, 0.75, Math.max(one, 3), side - 1.5);
  }

  contrast(v) {
    const t = Math.max(v / 255 - 0.35, 0) / 0.65;
    return Math.round(255 * t * t);
  }

  drawAlong() {
    const { likeness, history, net } = this.app;
    const pen = this.along.fit();
    const { width, height } = this.along;
    const { from, shown } = this.span();
    const count = likeness.count - from;
    drawBars(pen, net, history, from, from + shown, 0, 0, width, height, true);
    const one = width / shown;
    const foot = textSize(12) + 4;
    const number = this.number;
    for (let n = from; n < from + count; n++) {
      const v = likeness.of(n, number);
      pen.fillStyle = shade(palette.luts.sequential, this.contrast(255 * v), 0, 255);
      const tall = Math.max(v, 0.01) * (height - foot - 2);
      pen.fillRect((n - from) * one, height - foot - tall, Math.max(one - 0.4, 1), tall);
    }
    pen.fillStyle = palette.player;
    pen.fillRect((number - from) * one, 0, Math.max(one, 2), height - foot);
  }

  drawCards() {
    const { likeness, history, net } = this.app;
    const number = this.number;
    const frame = history.at(number);
    if (!frame) return;
    this.title.textContent = t(this.app.moment === null ? "moments.now" : "moments.picked", { place: net.place(frame) });
    const best = likeness.best(number, this.cards.length);
    this.cards.forEach((card, k) => {
      const n = best[k];
      card.number = n ?? null;
      card.card.hidden = n === undefined;
      if (n === undefined) return;
      const there = history.at(n);
      card.text.replaceChildren(el("b", "", net.place(there)), el("span", "", t("moments.alike", { percent: this.percent(n) })));
      card.card.dataset.why = t("moments.card.why", { place: net.place(there) });
      const pen = card.sheet.fit();
      const around = net.stepsPerBar / 2;
      const [a, b] = [n - around, n + around];
      drawBars(pen, net, history, a, b, 0, 0, card.sheet.width, card.sheet.height);
      drawNotes(pen, net, history, this.rows, a, b, 0, 2, card.sheet.width, card.sheet.height - 4);
      pen.fillStyle = palette.text;
      pen.fillRect(card.sheet.width / 2, 0, 1, card.sheet.height);
    });
  }

  percent(n) {
    return (100 * this.app.likeness.of(n, this.number)).toFixed(0);
  }

  openCard(node) {
    const found = this.cards.find(({ card }) => card === node);
    if (found?.number !== null) this.pick(found.number);
  }

  matrixNumbers(event) {
    if (!this.scale) return null;
    const box = this.matrix.canvas.getBoundingClientRect();
    const { from, one } = this.scale;
    const a = from + Math.floor((event.clientX - box.left) / one);
    const b = from + Math.floor((event.clientY - box.top) / one);
    const { likeness } = this.app;
    return likeness.has(a) && likeness.has(b) ? [a, b] : null;
  }

  clickMatrix(event) {
    const pair = this.matrixNumbers(event);
    if (pair) this.pick(pair[0]);
  }

  explain(event) {
    const { app } = this;
    const pair = this.matrixNumbers(event);
    this.matrix.canvas.style.cursor = pair ? "pointer" : "default";
    if (!pair) {
      app.why.hide();
      return;
    }
    const [a, b] = pair;
    const { net, history, likeness } = app;
    app.why.say(t("moments.pair", { one: net.place(history.at(a)), other: net.place(history.at(b)), percent: (100 * likeness.of(a, b)).toFixed(0) }), event.clientX, event.clientY);
  }

  alongNumber(event) {
    const { likeness } = this.app;
    const box = this.along.canvas.getBoundingClientRect();
    const { from, shown } = this.span();
    const number = from + Math.floor(((event.clientX - box.left) / box.width) * shown);
    return likeness.has(number) ? number : null;
  }
}
