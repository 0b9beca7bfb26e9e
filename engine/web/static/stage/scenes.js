// The set: its scenes in their order, to be clicked; the one that plays, the one to come, and the way back.

import { chip, el } from "../lib/dom.js";
import { t } from "../lib/language.js";

export class Scenes {
  constructor(app) {
    this.app = app;
    this.told = { names: [], now: 0, next: 0, begins: null, other: "", undo: "" };
  }

  mount(dock) {
    this.root = el("div", "scenes");
    this.root.setAttribute("role", "group");
    this.root.hidden = true;
    this.root.addEventListener("keydown", (event) => this.key(event));
    dock.prepend(this.root);
  }

  // Nothing is said by a jam that is older than sets, or by one that is shown again.
  take(told) {
    if (!told) return;
    const same = told.names.join("\n") === this.told.names.join("\n");
    this.told = told;
    if (same && this.list) this.show();
    else this.build();
  }

  build() {
    const { root, app, told } = this;
    if (!root || !app.net) return;
    root.hidden = !told.names.length;
    this.revealed = 0;
    root.setAttribute("aria-label", t("scenes"));
    root.replaceChildren();
    this.list = el("ol");
    this.buttons = told.names.map((name, index) => {
      const button = el("button", "scene");
      button.append(el("span", "soft", `${index + 1}`), el("span", "name", name), el("span", "begins"));
      button.dataset.why = t("scenes.why");
      button.disabled = !app.mayChange;
      button.onclick = () => app.send({ scene: index + 1 });
      const item = el("li");
      item.append(button);
      this.list.append(item);
      return button;
    });
    root.append(this.list);
    if (app.mayChange) {
      this.ab = chip(t("scenes.ab"), t("scenes.ab.why"), () => app.send({ scene: "ab" }), "scenes-ab");
      this.undo = chip(t("scenes.undo"), t("scenes.undo.why"), () => app.send({ scene: "undo" }), "scenes-undo");
      const keep = () => app.send({ keep: this.told.now || this.told.names.length + 1 });
      root.append(this.ab, this.undo, chip(t("scenes.keep"), t("scenes.keep.why"), keep, "scenes-keep"));
    }
    this.show();
  }

  show() {
    const { now, next, begins, other, undo } = this.told;
    this.buttons.forEach((button, index) => {
      const number = index + 1;
      const comes = number === next && next !== 0;
      button.classList.toggle("now", number === now);
      button.classList.toggle("next", comes);
      if (number === now) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.lastChild.textContent = !comes ? "" : begins ? t("scenes.begins", { bar: begins }) : "…";
    });
    this.reveal(next || now);
    if (this.ab) {
      this.ab.disabled = !other;
      this.ab.title = other;
      this.undo.disabled = !undo && !next;
      this.undo.title = undo;
    }
  }

  // The one that plays, or is to come, is brought into view when it becomes another: not while somebody looks through the list.
  reveal(number) {
    if (number === this.revealed || !this.buttons[number - 1]) return;
    this.revealed = number;
    const list = this.list.getBoundingClientRect();
    const button = this.buttons[number - 1].getBoundingClientRect();
    this.list.scrollLeft += button.left - list.left - (list.width - button.width) / 2;
  }

  // While the list has the keyboard: the arrows go through it, a digit is a scene.
  key(event) {
    const at = this.buttons?.indexOf(document.activeElement) ?? -1;
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
    if (!by && !digit) return;
    event.preventDefault();
    event.stopPropagation();
    if (by) this.buttons[(at + by + this.buttons.length) % this.buttons.length].focus();
    else if (this.app.mayChange && digit <= this.buttons.length) this.app.send({ scene: digit });
  }
}
