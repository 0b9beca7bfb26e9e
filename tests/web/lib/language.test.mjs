// language.js: which language is begun with, and texts with names filled in.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, Texts, choice, counted, load, preferred, speakWith, stretched, t, word } from "../../../engine/web/static/lib/language.js";
import { readTexts } from "./kit.mjs";

const STATIC = new URL("../../../engine/web/static/", import.meta.url);
const PAGES = readdirSync(STATIC, { recursive: true }).filter((path) => path.endsWith("/texts")).map((path) => path.slice(0, -"/texts".length));
const ofPage = (page) => Object.fromEntries(Object.keys(LANGUAGES).map((code) => [code, readTexts(page, code)]));
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const isCard = (key) => /\.(text|sentence)$/.test(key);
const isRead = (key) => isCard(key) || key.endsWith(".all"); // a notice may be longer than a card

test("the address decides, then the choice, then the browser, then English", () => {
  assert.equal(preferred("?lang=ca", "es", ["de"]), "ca");
  assert.equal(preferred("", "es", ["ca"]), "es");
  assert.equal(preferred("", null, ["de-DE", "es-MX", "en"]), "es");
  assert.equal(preferred("?lang=xx", null, ["de"]), "en");
});

test("names are filled in; what is missing is seen", () => {
  const texts = new Texts("en", { hello: "{n} of {all}" });
  assert.equal(texts.say("hello", { n: 0, all: 3 }), "0 of 3");
  assert.equal(texts.say("hello", { n: 1 }), "1 of {all}");
  assert.equal(texts.say("nothing.here"), "nothing.here");
});

test("what the engine brings has its own words where nobody translated it", () => {
  speakWith(new Texts("ca", { "track.bass": "baix", "step.one": "fa {count} pas", step: "fa {count} passos" }));
  assert.deepEqual([t("track.bass"), word("track.bass", "bass"), word("track.kazoo", "kazoo")], ["baix", "baix", "kazoo"]);
  assert.deepEqual([counted("step", 1), counted("step", 2)], ["fa 1 pas", "fa 2 passos"]);
});

test("a choice lasts as long as the tab, and where nothing is kept nothing fails", () => {
  choice.set("ca");
  assert.equal(choice.get(), null);
  const kept = {};
  globalThis.sessionStorage = {
    getItem: (name) => kept[name] ?? null,
    setItem: (name, value) => (kept[name] = value),
    removeItem: (name) => delete kept[name],
  };
  choice.set("ca");
  assert.equal(choice.get(), "ca");
  choice.set(null);
  assert.equal(choice.get(), null);
  delete globalThis.sessionStorage;
});

test("every page is held by these tests", () => assert.deepEqual(PAGES.sort(), ["booth", "explore", "stage"]));

const syllables = (word) => Math.max((word.toLowerCase().replace(/e$/, "").match(/[aeiouy]+/g) ?? []).length, 1);
const wordsAndSentences = (text) => [text.match(/[\p{L}'’]+/gu) ?? [], text.split(/[.!?:]+/).filter((s) => s.trim()).length];

for (const page of PAGES) {
  const flats = ofPage(page);

  test(`${page}: every language has the same keys with the same names in them, and none is empty`, () => {
    assert.deepEqual(readdirSync(new URL(`${page}/texts`, STATIC)).sort(), Object.keys(LANGUAGES).map((code) => `${code}.json`).sort());
    for (const [code, flat] of Object.entries(flats)) {
      assert.deepEqual(Object.keys(flat), Object.keys(flats.en), code);
      for (const key in flat) {
        assert.ok(flat[key].trim(), `${code}: ${key} is empty`);
        assert.deepEqual(names(flat[key]), names(flats.en[key]), `${code}: ${key}`);
      }
    }
  });

  test(`${page}: no card is longer than forty-five words`, () => {
    for (const [code, flat] of Object.entries(flats))
      for (const key in flat) if (isCard(key)) assert.ok(flat[key].split(/\s+/).length <= 45, `${code}: ${key}`);
  });

  test(`${page}: English is for grade eight, Spanish for everybody`, (test) => {
    const of = (flat) => Object.keys(flat).filter(isRead).map((key) => flat[key]).join(" ");
    const [english, sentences] = wordsAndSentences(of(flats.en));
    const grade = (0.39 * english.length) / sentences + (11.8 * english.reduce((sum, word) => sum + syllables(word), 0)) / english.length - 15.59;
    assert.ok(grade <= 8, `Flesch-Kincaid grade ${grade.toFixed(1)}`);
    const [spanish, frases] = wordsAndSentences(of(flats.es));
    const vowels = spanish.reduce((sum, word) => sum + (word.toLowerCase().match(/[aeiouáéíóúü]+/g) ?? [1]).length, 0);
    const ease = 206.84 - 60 * (vowels / spanish.length) - 1.02 * (spanish.length / frases); // Fernández-Huerta
    assert.ok(ease >= 60, `Fernández-Huerta ${ease.toFixed(0)}`);
    test.diagnostic(`${page}: Flesch-Kincaid grade ${grade.toFixed(1)}, Fernández-Huerta ${ease.toFixed(0)}`);
  });
}

test("stretched texts are two fifths longer and keep their names", () => {
  const long = stretched("one {name} more of them");
  assert.ok(long.length >= 1.4 * "one {name} more of them".length - 1);
  assert.deepEqual(names(long), ["name"]);
});

test("a file that is missing is named", async () => {
  globalThis.fetch = async () => ({ ok: false, status: 404 });
  await assert.rejects(load("ca", new URL("http://localhost/texts/")), /\/texts\/ca\.json is missing \(404\)/);
  globalThis.fetch = async () => ({ ok: true, json: async () => ({ a: "word" }) });
  assert.match((await load("en", new URL("http://localhost/texts/"), true)).say("a"), /wørd ~/);
});
