// A narrative: places to be visited in order, each with something to do; and who looks after a screen that nobody is at.

export const WARN_S = 45; // nobody touched anything: "still there?"
export const AWAY_S = 60; // then all is as at first, language too

/** `places`: [{id, paths, done}]; `done` names what counts as done there. `store` keeps where one was (get, set). */
export class Narrative {
  constructor(places, store = { get: () => null, set: () => {} }) {
    this.all = places;
    this.store = store;
    this.finished = new Set(store.get()?.finished ?? []);
    this.path = store.get()?.path ?? null;
    const kept = this.places.findIndex(({ id }) => id === store.get()?.at);
    this.at = Math.max(kept, 0);
  }

  /** Those of the path that was chosen; all of them where none was. */
  get places() {
    return this.path ? this.all.filter(({ paths }) => paths.includes(this.path)) : this.all;
  }

  get here() {
    return this.places[this.at];
  }

  /** Choose a path; go on at the same place, or at the next one that it has. */
  choose(path) {
    const index = this.all.indexOf(this.here);
    this.path = path;
    const following = this.places.findIndex((place) => this.all.indexOf(place) >= index);
    this.at = following < 0 ? this.places.length - 1 : following;
    this.keep();
  }

  go(to) {
    this.at = Math.min(Math.max(to, 0), this.places.length - 1);
    this.keep();
    return this.here;
  }

  goTo(id) {
    let found = this.places.findIndex((place) => place.id === id);
    if (found < 0 && this.all.some((place) => place.id === id)) {
      this.path = null; // a place beside the path: the path is left
      found = this.places.findIndex((place) => place.id === id);
    }
    return found < 0 ? null : this.go(found);
  }

  get first() {
    return this.at === 0;
  }

  get last() {
    return this.at === this.places.length - 1;
  }

  /** The next one, and after the last the first: without a visitor. */
  round() {
    return this.go((this.at + 1) % this.places.length);
  }

  /** Something happened; true where it is what was to be done here, and was not done before. */
  happened(what) {
    if (this.here.done !== what || this.finished.has(this.here.id)) return false;
    this.finished.add(this.here.id);
    this.keep();
    return true;
  }

  isDone(id) {
    return this.finished.has(id);
  }

  forget() {
    this.finished.clear();
    this.path = null;
    this.at = 0;
    this.keep();
  }

  keep() {
    this.store.set({ at: this.here.id, path: this.path, finished: [...this.finished] });
  }
}

/** What the browser keeps under a name, as JSON; a private window keeps nothing. */
export function kept(name) {
  return {
    get() {
      try {
        return JSON.parse(localStorage.getItem(name) ?? "null");
      } catch {
        return null;
      }
    },
    set(value) {
      try {
        localStorage.setItem(name, JSON.stringify(value));
      } catch {
        // it lasts as long as the page
      }
    },
  };
}

/** Watches whether somebody is there. `now` in seconds. */
export class Presence {
  constructor(now) {
    this.touched = now;
    this.fresh = true; // nobody came yet
  }

  touch(now) {
    this.touched = now;
    this.fresh = false;
  }

  /** "nobody" before anybody came, then "here", "asked", and "gone" once. */
  state(now) {
    if (this.fresh) return "nobody";
    const idle = now - this.touched;
    if (idle >= AWAY_S) {
      this.fresh = true;
      return "gone";
    }
    return idle >= WARN_S ? "asked" : "here";
  }

  /** Whole seconds until all begins anew. */
  left(now) {
    return Math.max(Math.ceil(AWAY_S - (now - this.touched)), 0);
  }
}
