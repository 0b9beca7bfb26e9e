// Texts in several languages: one flat JSON file each. A text may hold {names} that are filled in.

export const LANGUAGES = { en: "English", es: "Español", ca: "Català" };
export const FALLBACK = "en";

/** The language to begin with: asked for in the address, chosen before, or the first that the browser likes and we have. */
export function preferred(query, chosen, liked = []) {
  const asked = new URLSearchParams(query).get("lang");
  const candidates = [asked, chosen, ...liked].map((name) => String(name ?? "").toLowerCase().split("-")[0]);
  return candidates.find((name) => name in LANGUAGES) ?? FALLBACK;
}

/** Longer by two fifths and full of accents: what does not fit with it will not fit in some language. */
export function stretched(text) {
  const accents = { a: "á", e: "ë", i: "ï", o: "ø", u: "ü", c: "ç", n: "ñ", y: "ý" };
  const parts = text.split(/(\{\w+\})/).map((part) => (part.startsWith("{") ? part : part.replace(/[aeioucny]/g, (c) => accents[c])));
  return `${parts.join("")}${" ~".repeat(Math.ceil(text.length * 0.2))}`;
}

export class Texts {
  /** `flat`: key to text. */
  constructor(language, flat) {
    this.language = language;
    this.flat = flat;
  }

  has(key) {
    return key in this.flat;
  }

  /** The text of a key, with {names} filled in; a key without a text is shown as it is, so that it is seen. */
  say(key, values = {}) {
    const text = this.flat[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }
}

let spoken = new Texts(FALLBACK, {});

/** Have these be the texts of the page: every module that writes something asks `t`. */
export function speakWith(texts) {
  spoken = texts;
}

export const t = (key, values) => spoken.say(key, values);

/** The text of a key; `own`, the engine's word, where there is none: networks and patches bring words that nobody translated. */
export const word = (key, own, values) => (spoken.has(key) ? spoken.say(key, values) : own);

/** The text for a number of things: that of `key.one` for one of them. */
export const counted = (key, count, values = {}) => t(count === 1 ? `${key}.one` : key, { count, ...values });

const CHOICE = "algoritmo.language";

/** The language that somebody chose, as long as his tab is open; a private window keeps nothing. */
export const choice = {
  get() {
    try {
      return sessionStorage.getItem(CHOICE);
    } catch {
      return null;
    }
  },
  set(language) {
    try {
      if (language) sessionStorage.setItem(CHOICE, language);
      else sessionStorage.removeItem(CHOICE);
    } catch {
      // the choice lasts as long as the page
    }
  },
};

/** Fetch a language's texts from a folder; `pseudo` stretches them. Throws an Error that says which file is missing. */
export async function load(language, folder, pseudo = false) {
  const address = new URL(`${language}.json`, folder);
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address.pathname} is missing (${answer.status})`);
  const flat = await answer.json();
  if (pseudo) for (const key in flat) flat[key] = stretched(flat[key]);
  return new Texts(language, flat);
}
