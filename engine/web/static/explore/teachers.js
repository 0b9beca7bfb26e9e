// For teachers: what to show in ten and in forty-five minutes, in the visitor's language.

import { el } from "../lib/dom.js";
import { LANGUAGES, load, preferred } from "../lib/language.js";

// Minutes for each page.
const LESSONS = {
  10: { key: 1, neuron: 3, layers: 2, inside: 2, train: 2 },
  45: { key: 3, neuron: 7, clash: 4, layers: 5, memory: 5, beats: 4, accent: 5, music: 5, inside: 3, train: 3, phone: 1 },
};
const HINTS = ["need", "folder", "kiosk", "keys", "sound", "stuck"];

const language = preferred(location.search, null, navigator.languages);
const texts = await load(language, new URL("texts/", import.meta.url), new URLSearchParams(location.search).has("pseudo"));
const t = (key, values) => texts.say(key, values);

function link(text, address) {
  const node = el("a", "", text);
  node.href = address;
  return node;
}

function lesson(minutes) {
  const table = el("table");
  const head = table.createTHead().insertRow();
  for (const name of ["minutes", "page", "show", "ask"]) {
    const cell = el("th", "", t(`teachers.${name}`));
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  let from = 0;
  for (const [page, takes] of Object.entries(LESSONS[minutes])) {
    const row = body.insertRow();
    const name = el("th");
    name.scope = "row";
    name.append(link(t(`${page}.title`), `./?lang=${language}#${page}`));
    row.append(el("td", "", `${from}–${from + takes}`), name, el("td", "", t(`teachers.${page}.show`)), el("td", "", t(`teachers.${page}.ask`)));
    from += takes;
  }
  return [el("h2", "", t("teachers.lesson", { minutes })), table];
}

document.documentElement.lang = language;
document.title = `Algoritmo: ${t("teachers.title")}`;
const languages = el("nav");
languages.setAttribute("aria-label", t("language"));
languages.append(link(t("teachers.back"), `./?lang=${language}`), ...Object.entries(LANGUAGES).filter(([code]) => code !== language).map(([code, name]) => link(name, `?lang=${code}`)));
const hints = el("ul");
hints.append(...HINTS.map((name) => el("li", "", t(`teachers.${name}`))));
document.getElementById("lesson").append(
  languages, el("h1", "", t("teachers.title")), el("p", "", t("teachers.lead")),
  ...lesson(10), ...lesson(45), el("h2", "", t("teachers.before")), hints,
);
