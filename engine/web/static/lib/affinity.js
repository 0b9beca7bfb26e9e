// What one neuron goes with: the notes it says yes or no to, and which neuron of a layer is worth looking at.

const FAINT = 0.08; // a correlation below this says nothing
const NAMED = 3; // notes that are named at most

// The slots that correlations [-1 .. 1] speak for most and against most: {yes, no}, the strongest first.
export function strongest(correlations) {
  const order = [...correlations.keys()].filter((slot) => !isFaint(correlations[slot]));
  order.sort((a, b) => correlations[b] - correlations[a]);
  return {
    yes: order.filter((slot) => correlations[slot] > 0).slice(0, NAMED),
    no: order.filter((slot) => correlations[slot] < 0).slice(-NAMED).reverse(),
  };
}

export function isFaint(correlation) {
  return Math.abs(correlation) < FAINT;
}

// The unit of a layer that is most tied to the "beat" or to a "note", or "loud" now, over the frames from number `from` on.
export function findUnit(history, layer, how, from) {
  const score = {
    loud: (trace) => Math.abs(trace.at(-1) ?? 0),
    beat: (trace) => history.tiedToBeat(trace, from),
    note: (trace) => Math.max(...history.withNotes(trace, from).map(Math.abs)),
  }[how];
  let best = 0;
  let most = -1;
  for (let unit = 0; unit < layer.units; unit++) {
    const now = score(history.trace(layer.main, unit, from));
    if (now > most) [most, best] = [now, unit];
  }
  return best;
}
