import { EMPTY_PATCH, type Patch, trimPatch } from "./patch";

/**
 * Connected regions of a patch, found by rows of runs and union-find: linear in the pixels, with memory for the runs
 * only. Parts of a mask hang together by sides and corners, its holes by sides only, so that the two never cross.
 */
interface Regions {
  /** Runs in reading order: row, first column, column after the last, and the region each belongs to. */
  readonly rows: number[];
  readonly starts: number[];
  readonly ends: number[];
  readonly regionOf: Int32Array;
  /** Pixels per region. */
  readonly areas: number[];
  /** Whether a region touches the patch's own edge. */
  readonly atEdge: boolean[];
}

/** Holes of at most `largest` pixels become part of the mask. What is open to the mask's outside is no hole. */
export function fillHoles(patch: Patch, largest = Number.POSITIVE_INFINITY): Patch {
  const regions = label(patch, 0);
  const fill = regions.areas.map((area, region) => !regions.atEdge[region] && area <= largest);
  return fill.includes(true) ? painted(patch, regions, (region) => fill[region] === true, 1) : patch;
}

/** Parts of fewer than `smallest` pixels go; the largest part always stays, so that no mask vanishes by cleaning. */
export function removeIslands(patch: Patch, smallest: number): Patch {
  const regions = label(patch, 1);
  const largest = regions.areas.indexOf(regions.areas.reduce((most, area) => Math.max(most, area), 0));
  const drop = regions.areas.map((area, region) => area < smallest && region !== largest);
  return drop.includes(true) ? trimPatch(painted(patch, regions, (region) => drop[region] === true, 0)) : patch;
}

/** How many parts, without making them. */
export const countParts = (patch: Patch): number => label(patch, 1).areas.length;

/** The parts as patches of their own, largest first. */
export function parts(patch: Patch): Patch[] {
  return patches(patch, label(patch, 1), () => true);
}

/** The holes as patches of their own, largest first. */
export function holes(patch: Patch): Patch[] {
  const regions = label(patch, 0);
  return patches(patch, regions, (region) => !regions.atEdge[region]);
}

function label(patch: Patch, value: 0 | 1): Regions {
  const { width, height, data } = patch;
  const reach = value === 1 ? 1 : 0; // a corner counts for parts, not for holes
  const rows: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const parent: number[] = [];
  const root = (run: number): number => {
    let at = run;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  };
  let above = 0;
  for (let y = 0; y < height; y++) {
    const first = rows.length;
    let at = above;
    const line = data.subarray(y * width, (y + 1) * width);
    for (let start = line.indexOf(value); start >= 0; start = line.indexOf(value, (ends.at(-1) as number) + 1)) {
      const stop = line.indexOf(1 - value, start);
      const end = stop < 0 ? width : stop;
      const run = rows.length;
      rows.push(y);
      starts.push(start);
      ends.push(end);
      parent.push(run);
      // Runs of the row above that touch this one; the last of them may touch the next one, too.
      while (at < first && (ends[at] as number) + reach <= start) at++;
      for (let other = at; other < first && (starts[other] as number) < end + reach; other++) {
        parent[root(other)] = root(run);
      }
    }
    above = first;
  }
  return gathered(
    patch,
    { rows, starts, ends },
    parent.map((_, run) => root(run)),
  );
}

function gathered(patch: Patch, runs: Pick<Regions, "rows" | "starts" | "ends">, roots: readonly number[]): Regions {
  const regionOf = new Int32Array(roots.length);
  const numbers = new Map<number, number>();
  const areas: number[] = [];
  const atEdge: boolean[] = [];
  roots.forEach((root, run) => {
    const region = numbers.get(root) ?? numbers.size;
    numbers.set(root, region);
    regionOf[run] = region;
    const [row = 0, start = 0, end = 0] = [runs.rows[run], runs.starts[run], runs.ends[run]];
    areas[region] = (areas[region] ?? 0) + end - start;
    const edge = row === 0 || row === patch.height - 1 || start === 0 || end === patch.width;
    atEdge[region] = (atEdge[region] ?? false) || edge;
  });
  return { ...runs, regionOf, areas, atEdge };
}

function painted(patch: Patch, regions: Regions, chosen: (region: number) => boolean, value: 0 | 1): Patch {
  const data = patch.data.slice();
  regions.regionOf.forEach((region, run) => {
    if (!chosen(region)) return;
    const row = (regions.rows[run] as number) * patch.width;
    data.fill(value, row + (regions.starts[run] as number), row + (regions.ends[run] as number));
  });
  return { ...patch, data };
}

function patches(patch: Patch, regions: Regions, chosen: (region: number) => boolean): Patch[] {
  const boxes = regions.areas.map(() => ({ x0: patch.width, y0: patch.height, x1: 0, y1: 0 }));
  regions.regionOf.forEach((region, run) => {
    const box = boxes[region];
    if (!box) return;
    box.x0 = Math.min(box.x0, regions.starts[run] as number);
    box.x1 = Math.max(box.x1, regions.ends[run] as number);
    box.y0 = Math.min(box.y0, regions.rows[run] as number);
    box.y1 = Math.max(box.y1, (regions.rows[run] as number) + 1);
  });
  const found = boxes.map((box, region): Patch => {
    if (!chosen(region)) return EMPTY_PATCH;
    const [width, height] = [box.x1 - box.x0, box.y1 - box.y0];
    return { x: patch.x + box.x0, y: patch.y + box.y0, width, height, data: new Uint8Array(width * height) };
  });
  regions.regionOf.forEach((region, run) => {
    const part = found[region];
    const box = boxes[region];
    if (!part || !box || part.width === 0) return;
    const row = ((regions.rows[run] as number) - box.y0) * part.width - box.x0;
    part.data.fill(1, row + (regions.starts[run] as number), row + (regions.ends[run] as number));
  });
  return found
    .map((part, region) => ({ part, area: regions.areas[region] ?? 0 }))
    .filter(({ part }) => part.width > 0)
    .toSorted((a, b) => b.area - a.area)
    .map(({ part }) => part);
}
