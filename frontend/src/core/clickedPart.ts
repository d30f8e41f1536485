/**
 * Mask logits, row-major height x width, of which only the part under a place stays positive: other parts change their
 * sign. A part is what hangs together by sides or corners. The twin of modelzoo.lone_click.clicked_part: one click asks
 * for one thing. Returns the given array where there is nothing to take away.
 *
 * x and y: pixels of the logits, 0 to width and 0 to height.
 */
export function clickedPart(logits: Float32Array, width: number, height: number, x: number, y: number): Float32Array {
  const column = Math.min(Math.max(Math.floor(x), 0), width - 1);
  const row = Math.min(Math.max(Math.floor(y), 0), height - 1);
  const start = row * width + column;
  if (!((logits[start] ?? 0) > 0)) return logits;
  const kept = logits.map((logit) => (logit > 0 ? -logit : logit));
  kept[start] = logits[start] as number;
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const left = at % width > 0 ? -1 : 0;
    const right = at % width < width - 1 ? 1 : 0;
    for (let line = at - width; line <= at + width; line += width) {
      for (let next = line + left; next <= line + right; next++) {
        const logit = logits[next] ?? 0;
        if (!(logit > 0) || kept[next] === logit) continue;
        kept[next] = logit;
        open.push(next);
      }
    }
  }
  return kept;
}
