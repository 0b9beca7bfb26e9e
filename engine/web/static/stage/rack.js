// What a track, a send or the master goes through: plugins and effects, added, moved and taken out while it plays.

import { chip, el } from "../lib/dom.js";
import { t } from "../lib/language.js";

/** Effects and plugins of `where`, called `said`; redrawn by `show(rack)`. */
export class RackOf {
  constructor(app, where, said) {
    this.app = app;
    this.where = where;
    this.said = said;
    this.box = el("div", "rack");
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", t("rack.of", { where: said }));
  }

  show({ places, effects, plugins }) {
    const { app, where, box } = this;
    const those = places.filter((place) => place.where === where);
    const inserts = those.filter((place) => !place.plays);
    box.replaceChildren();
    for (const place of those) box.append(this.place(place, inserts.indexOf(place), inserts.length));
    box.hidden = !those.length && !app.mayChange;
    if (app.mayChange) box.append(this.adder(effects, plugins));
  }

  place(place, at, count) {
    const row = el("div", `rack-place ${place.state}`);
    row.append(el("span", "name", place.name));
    if (place.state !== "on") {
      const state = el("span", "state", t(`rack.${place.state}`));
      if (place.why) state.dataset.why = place.why;
      row.append(state);
    }
    if (place.plays || !this.app.mayChange) return row;
    const button = (sign, key, order, off) => {
      const made = chip(sign, t(`rack.${key}.why`, { name: place.name }), () => this.send({ ...order, word: place.word }));
      made.setAttribute("aria-label", t(`rack.${key}.why`, { name: place.name }));
      made.disabled = off;
      row.append(made);
    };
    button("\u2191", "up", { do: "move", by: -1 }, at === 0);
    button("\u2193", "down", { do: "move", by: 1 }, at === count - 1);
    button("\u00d7", "remove", { do: "remove" }, false);
    return row;
  }

  adder(effects, plugins) {
    const select = el("select");
    select.id = `rack-${this.where}`;
    select.setAttribute("aria-label", t("rack.add.why", { where: this.said }));
    select.dataset.why = t("rack.add.why", { where: this.said });
    const option = (value, text) => Object.assign(el("option", "", text), { value });
    select.append(option("", t("rack.add")));
    for (const name of effects) select.append(option(name, name));
    if (plugins.length) {
      const group = el("optgroup");
      group.label = t("rack.plugins");
      group.append(...plugins.map(({ name, effect }) => option(effect, name)));
      select.append(group);
    }
    select.onchange = () => {
      if (select.value) this.send({ do: "add", effect: select.value });
      select.value = "";
    };
    return select;
  }

  send(order) {
    this.app.send({ rack: { ...order, where: this.where } });
  }
}
