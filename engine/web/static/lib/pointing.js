// Pointing at something on a page: a frame around it, and a card that stands beside it.

// The smallest box around boxes {left, top, right, bottom}, less what lies outside `limit`; null for none.
export function around(boxes, limit) {
  const seen = boxes
    .map((b) => ({
      left: Math.max(b.left, limit.left),
      top: Math.max(b.top, limit.top),
      right: Math.min(b.right, limit.right),
      bottom: Math.min(b.bottom, limit.bottom),
    }))
    .filter((b) => b.right > b.left && b.bottom > b.top);
  if (!seen.length) return null;
  return {
    left: Math.min(...seen.map((b) => b.left)),
    top: Math.min(...seen.map((b) => b.top)),
    right: Math.max(...seen.map((b) => b.right)),
    bottom: Math.max(...seen.map((b) => b.bottom)),
  };
}

const apart = (place, { width, height }, box) =>
  !box || place.left >= box.right || place.left + width <= box.left || place.top >= box.bottom || place.top + height <= box.top;

// Where a card of a size stands on a screen so that it does not hide a box: below, above, left or right of it; else where it
// hides least, at the bottom or the top. Where it can, it keeps off another box too.
export function beside(box, card, screen, other = null) {
  const { width, height } = card;
  const bottom = Math.max(screen.height - height - 24, 8);
  if (!box) return { left: (screen.width - width) / 2, top: bottom };
  const left = Math.min(Math.max((box.left + box.right - width) / 2, 12), Math.max(screen.width - width - 12, 0));
  const top = Math.min(Math.max(box.top + 40, 8), bottom);
  const places = [
    { left, top: box.bottom + 20, fits: box.bottom + height + 32 < screen.height },
    { left, top: box.top - height - 20, fits: box.top - height - 28 > 0 },
    { left: box.left - width - 24, top, fits: box.left - width - 32 > 0 },
    { left: box.right + 24, top, fits: box.right + width + 32 < screen.width },
  ].filter(({ fits }) => fits);
  const ends = [{ left, top: 8 }, { left, top: bottom }];
  if (box.top <= screen.height - box.bottom) ends.reverse();
  const found = [...places, ...(places.length ? [] : ends)];
  const { left: x, top: y } = found.find((place) => apart(place, card, other)) ?? found[0];
  return { left: x, top: y };
}
