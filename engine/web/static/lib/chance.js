// Lots that fall the same way every time: the only chance there is on a page.

/** Numbers by lot, the same here and in Python: Tommy Ettinger's mulberry32. */
export class Chance {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** The next number, 0 <= number < 1. */
  number() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number, 0 <= number < count. */
  below(count) {
    return Math.floor(this.number() * count);
  }

  /** An array of `count` numbers between -width and width. */
  spread(count, width = 1) {
    return Float64Array.from({ length: count }, () => (2 * this.number() - 1) * width);
  }

  /** Draw a lot: an index, each as likely as `probabilities` says. */
  choose(probabilities) {
    const lot = this.number();
    let total = 0;
    for (let index = 0; index < probabilities.length; index++) {
      total += probabilities[index];
      if (lot < total) return index;
    }
    return probabilities.length - 1;
  }
}
