import type { LengthUnit } from "../../api/types";

/** What lengths are shown in. `metres` is one of the unit; a pixel has no size of its own. */
export const UNITS: Record<LengthUnit, { name: string; plural: string; metres: number | null }> = {
  px: { name: "px", plural: "pixels", metres: null },
  um: { name: "µm", plural: "micrometres", metres: 1e-6 },
  mm: { name: "mm", plural: "millimetres", metres: 1e-3 },
  m: { name: "m", plural: "metres", metres: 1 },
};

export type Quantity = "area" | "perimeter" | "length" | "diameter";

export const QUANTITIES: Record<Quantity, string> = {
  area: "Area",
  perimeter: "Perimeter",
  length: "Length",
  diameter: "Equivalent diameter",
};

/** For the heads of narrow columns. */
export const SHORT: Record<Quantity, string> = { ...QUANTITIES, diameter: "Eq. diameter" };

export const unitOf = (quantity: Quantity, unit: LengthUnit): string =>
  quantity === "area" ? `${UNITS[unit].name}²` : UNITS[unit].name;

const DIGITS = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });
const POWER = new Intl.NumberFormat("en-GB", { notation: "scientific", maximumSignificantDigits: 3 });

/** Four digits that matter; powers of ten where zeros would hide them. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e7) ? POWER.format(value) : DIGITS.format(value);
}

/** What somebody typed as a length, with a point or a comma; NaN for what is none. */
export function lengthTyped(text: string): number {
  const value = Number(text.replace(",", "."));
  return Number.isFinite(value) && value > 0 ? value : Number.NaN;
}

/** Metres as a number of the unit that shows them best: 6.5e-7 is 0.65 µm. */
export function pixelSizeText(metres: number): string {
  const unit = metres < 1e-3 ? "um" : metres < 1 ? "mm" : "m";
  return `${figure(metres / (UNITS[unit].metres ?? 1))} ${UNITS[unit].name}`;
}
