// The piano of a page: which keys fit, and where each lies.

export const BLACK = [1, 3, 6, 8, 10];
// Two rows of a keyboard, by place and not by letter, so that every layout plays alike.
export const CODES = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"];
const MOST_OCTAVES = 6;
const BLACK_WIDTH = 0.62; // of a white key
const LOWEST = 12;

export function isBlack(pitch) {
  return BLACK.includes(pitch % 12);
}

// Keys for a width: [{pitch, black, left, width, letter}], left and width as shares of the whole. `base` is the pitch of the
// A key of the computer; a white key is at least `least` wide.
export function pianoKeys(base, width, least) {
  const fit = Math.max(Math.floor(width / least), 7);
  const octaves = Math.min(fit / 7, MOST_OCTAVES);
  const whites = Math.floor(octaves * 7);
  const below = Math.floor((Math.floor(octaves) - 1) / 2) * 12;
  const lowest = Math.max(base - below, LOWEST);
  const keys = [];
  let count = 0;
  for (let pitch = lowest; pitch < 128 && (count < whites || isBlack(pitch)); pitch++) {
    const black = isBlack(pitch);
    if (black && count >= whites) break;
    const code = CODES[pitch - base];
    keys.push({
      pitch,
      black,
      left: (black ? count - BLACK_WIDTH / 2 : count) / whites,
      width: (black ? BLACK_WIDTH : 1) / whites,
      letter: code ? code.replace("Key", "").replace("Semicolon", ";") : "",
    });
    if (!black) count++;
  }
  return keys;
}

// How loud a key is struck: lower on the key is louder.
export function velocityAt(part) {
  return Math.round(50 + 70 * Math.min(Math.max(part, 0), 1));
}
