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

// Where a card of a size stands on a screen so that it does not hide a box: below, above, left or right of it; else where it
// hides least, at the bottom or the top.
export function beside(box, { width, height }, screen) {
  const middle = (screen.width - width) / 2;
  const bottom = screen.height - height - 24;
  if (!box) return { left: middle, top: Math.max(bottom, 8) };
  const left = Math.min(Math.max((box.left + box.right - width) / 2, 12), Math.max(screen.width - width - 12, 0));
  if (box.bottom + height + 32 < screen.height) return { left, top: box.bottom + 20 };
  if (box.top - height - 28 > 0) return { left, top: box.top - height - 20 };
  const top = Math.min(Math.max(box.top + 40, 8), Math.max(bottom, 8));
  if (box.left - width - 32 > 0) return { left: box.left - width - 24, top };
  if (box.right + width + 32 < screen.width) return { left: box.right + 24, top };
  return { left, top: box.top > screen.height - box.bottom ? 8 : Math.max(bottom, 8) };
}
