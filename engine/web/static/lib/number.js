// Numbers: a remainder that is never negative, and how a person reads a number.

export function mod(a, n) {
  return ((a % n) + n) % n;
}

// With two digits and its sign: "+0.31", "−0.02".
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

// As short as it can be written with two digits: "0.5", "−4".
export function short(value) {
  return String(Math.round(100 * value) / 100).replace("-", "−");
}
