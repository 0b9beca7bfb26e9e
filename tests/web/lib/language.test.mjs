// language.js: which language is begun with, and texts with names filled in.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, Texts, load, preferred, stretched } from "../../../engine/web/static/lib/language.js";

const TEXTS = new URL("../../../engine/web/static/explore/texts/", import.meta.url);
const flats = Object.fromEntries(Object.keys(LANGUAGES).map((code) => [code, JSON.parse(readFileSync(new URL(`${code}.json`, TEXTS)))]));
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

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

test("every language has the same keys with the same names in them, and none is empty", () => {
  assert.deepEqual(readdirSync(TEXTS).sort(), Object.keys(LANGUAGES).map((code) => `${code}.json`).sort());
  for (const [code, flat] of Object.entries(flats)) {
    assert.deepEqual(Object.keys(flat), Object.keys(flats.en), code);
    for (const key in flat) {
      assert.ok(flat[key].trim(), `${code}: ${key} is empty`);
      assert.deepEqual(names(flat[key]), names(flats.en[key]), `${code}: ${key}`);
    }
  }
});

test("no card is longer than forty-five words", () => {
  for (const [code, flat] of Object.entries(flats))
    for (const key in flat) if (key.endsWith(".text")) assert.ok(flat[key].split(/\s+/).length <= 45, `${code}: ${key}`);
});

const syllables = (word) => Math.max((word.toLowerCase().replace(/e$/, "").match(/[aeiouy]+/g) ?? []).length, 1);
const counted = (text) => [text.match(/[\p{L}'’]+/gu) ?? [], text.split(/[.!?:]+/).filter((s) => s.trim()).length];

test("English is for grade eight, Spanish for everybody", () => {
  const of = (flat) => Object.keys(flat).filter((key) => key.endsWith(".text")).map((key) => flat[key]).join(" ");
  const [english, sentences] = counted(of(flats.en));
  const grade = (0.39 * english.length) / sentences + (11.8 * english.reduce((sum, word) => sum + syllables(word), 0)) / english.length - 15.59;
  assert.ok(grade <= 8, `Flesch-Kincaid grade ${grade.toFixed(1)}`);
  const [spanish, frases] = counted(of(flats.es));
  const vowels = spanish.reduce((sum, word) => sum + (word.toLowerCase().match(/[aeiouáéíóúü]+/g) ?? [1]).length, 0);
  const ease = 206.84 - 60 * (vowels / spanish.length) - 1.02 * (spanish.length / frases); // Fernández-Huerta
  assert.ok(ease >= 60, `Fernández-Huerta ${ease.toFixed(0)}`);
});

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
