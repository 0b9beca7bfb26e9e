// The line above the piano: the chord that is heard, the next, what the band plays, and the chart where there is one.

import { roomFor, shownBars } from "../lib/chart.js";
import { chip, el } from "../lib/dom.js";
import { t } from "../lib/language.js";

const KINDS = ["heard", "expected", "played"];
const BAR_EM = { least: 4.2, most: 10, letter: 0.6, edges: 1.2 }; // width of a bar
const LONGEST = 1200; // characters of a chart that is typed here

export class Chords {
  constructor(app) {
    this.app = app;
    this.names = {};
    this.chart = { text: "", bars: [], origin: "configured", loop_bars: 0, bar: 4 };
    this.beat = null;
    this.editing = false;
  }

  mount(dock) {
    this.root = el("div", "chords");
    this.root.setAttribute("role", "group");
    dock.prepend(this.root);
    new ResizeObserver(() => this.bars()).observe(this.root);
  }

  hello({ chords, chart }) {
    this.names = chords ?? {};
    if (chart) this.chart = chart;
    this.beat = null;
    this.build();
  }

  // Every word of it anew: another language, or another right to change things.
  build() {
    const { root, app } = this;
    if (!root || !app.net) return;
    const typed = this.editing ? this.input?.value : null;
    root.setAttribute("aria-label", t("chords"));
    root.replaceChildren();
    this.places = {};
    for (const kind of KINDS) {
      const place = el("span", `chord ${kind}`);
      place.dataset.why = t(`chords.${kind}.why`);
      const name = el("b", "", "–");
      place.append(el("span", "soft", t(`chords.${kind}`)), name);
      this.places[kind] = { place, name };
      root.append(place);
    }
    this.line = el("ol", "chart");
    this.line.setAttribute("aria-label", t("chart"));
    this.line.dataset.why = t("chart.why");
    root.append(this.line);
    if (app.mayChange) {
      root.append(
        chip(t("chart.keep"), t("chart.keep.why"), () => app.send({ fire: "keep" }), "chart-keep"),
        chip(t("chart.edit"), t("chart.edit.why"), () => this.edit(!this.editing), "chart-edit"),
      );
      this.form = this.makeForm(typed ?? this.chart.text);
      root.append(this.form);
      this.edit(this.editing, false);
    } else this.editing = false;
    this.show();
    this.bars(true);
  }

  makeForm(text) {
    const form = el("form", "chart-form");
    this.input = el("input");
    this.input.type = "text";
    this.input.id = "chart-text";
    this.input.maxLength = LONGEST;
    this.input.spellcheck = false;
    this.input.autocomplete = "off";
    this.input.value = text;
    this.input.placeholder = "| C | G7 | Am F | % |";
    this.input.setAttribute("aria-label", t("chart.type"));
    this.input.dataset.why = t("chart.type.why");
    this.said = el("p", "chart-said");
    this.said.setAttribute("role", "status");
    const go = el("button", "chip", t("chart.play"));
    go.id = "chart-play";
    go.dataset.why = t("chart.play.why");
    form.append(this.input, go, this.said);
    form.onsubmit = (event) => {
      event.preventDefault();
      this.said.textContent = "";
      this.app.send({ chart: this.input.value });
    };
    this.input.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.edit(false);
      document.getElementById("chart-edit")?.focus();
    };
    return form;
  }

  edit(open, focus = true) {
    this.editing = open;
    this.form.hidden = !open;
    document.getElementById("chart-edit")?.setAttribute("aria-expanded", String(open));
    if (open && focus) {
      this.input.value = this.chart.text;
      this.said.textContent = "";
      this.input.focus();
      this.input.select();
    }
  }

  // The chords, as they sound.
  take({ heard, expected, played }) {
    this.names = { heard, expected, played };
    this.show();
  }

  show() {
    if (!this.places) return;
    for (const kind of KINDS) {
      const { place, name } = this.places[kind];
      const text = this.names[kind] || "–";
      if (name.textContent !== text) name.textContent = text;
      place.classList.toggle("none", !this.names[kind]);
    }
    // What is played is worth a word where it is another than what is heard.
    this.places.played.place.classList.toggle("other", Boolean(this.names.played) && this.names.played !== this.names.heard);
  }

  takeChart(chart) {
    const before = this.chart;
    this.chart = chart;
    this.bars(true);
    if (this.editing && chart.text !== before.text) {
      if (chart.origin === "typed") this.edit(false);
      else this.input.value = chart.text;
    }
    if (chart.origin === "kept") this.app.note(t("chart.kept"));
    if (chart.origin === "nothing") this.app.note(t("chart.nothing"));
    if (chart.loop_bars && chart.loop_bars !== before.loop_bars) {
      this.app.note(t("chart.other", { loop: chart.loop_bars, bars: chart.bars.length }));
    }
  }

  refuse({ text }) {
    if (!this.app.mayChange) return;
    this.said.textContent = text;
  }

  step(frame) {
    this.beat = frame.step < 0 ? null : frame.beat;
    this.bars();
  }

  // The bars of the chart, where anything of it has changed.
  bars(anew = false) {
    const { line, chart } = this;
    if (!line) return;
    const longest = Math.max(0, ...chart.bars.map((words) => words.length));
    const em = parseFloat(getComputedStyle(line).fontSize) || 15;
    const most = Math.min(BAR_EM.most, line.clientWidth / em / 2); // two at least, shortened on a phone
    const each = Math.max(Math.min(BAR_EM.letter * longest + BAR_EM.edges, most), BAR_EM.least);
    line.style.setProperty("--bar", `${each}em`);
    const shown = shownBars(chart.bars, this.beat, chart.bar || 4, roomFor(line.clientWidth, each * em));
    const key = JSON.stringify(shown);
    if (!anew && key === this.drawn) return;
    this.drawn = key;
    line.classList.toggle("none", !shown.length);
    const items = shown.map(({ bar, words, here }) => {
      const item = el("li", here ? "here" : "", words);
      item.value = bar;
      return item;
    });
    if (!items.length) items.push(el("li", "soft", t("chart.none")));
    line.replaceChildren(...items);
  }
}
