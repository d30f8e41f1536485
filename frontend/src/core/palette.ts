/**
 * Mask colours as [r, g, b]. Chosen to stay apart for people with colour-vision deficiency (Okabe and Ito's set
 * plus three tints of it); neighbours in the list differ in lightness too.
 */
export type Rgb = readonly [number, number, number];

export const MASK_COLOURS: readonly Rgb[] = [
  [86, 180, 233],
  [230, 159, 0],
  [0, 204, 145],
  [240, 228, 66],
  [204, 121, 167],
  [255, 110, 50],
  [90, 140, 255],
  [148, 220, 190],
  [255, 190, 160],
  [190, 170, 240],
];

/** Colour of the half-made mask: unlike every saved one. */
/** Of a mask that is wrong: what it lacks, and what it has too much. Apart for every kind of colour vision. */
export const MISSING_COLOUR: Rgb = [30, 120, 255];
export const SURPLUS_COLOUR: Rgb = [255, 140, 0];

export const DRAFT_COLOUR: Rgb = [64, 224, 208];

/** A mask keeps its colour for good: it follows from its id, not from its place in the list. */
export function colourOf(id: string): Rgb {
  let hash = 2166136261;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
  return MASK_COLOURS[(hash >>> 0) % MASK_COLOURS.length] as Rgb;
}

export const css = (colour: Rgb, alpha = 1): string => `rgb(${colour[0]} ${colour[1]} ${colour[2]} / ${alpha})`;
