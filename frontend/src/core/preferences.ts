import { Emitter } from "./emitter";

export type Preset = "anymask" | "cvat" | "label-studio";
export type MaskStyle = "filled" | "patterned" | "outlined";

/** How one person works in one browser. Plain data: it is stored as JSON. */
export interface Preferences {
  readonly preset: Preset;
  /** Strokes by command id, for the commands whose keys were changed. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  /** No button has to be held: every drag becomes two clicks. */
  readonly clickOnly: boolean;
  /** Milliseconds of holding still that count as a click; null: off. */
  readonly dwell: number | null;
  readonly largeTargets: boolean;
  /** Whether a pen that presses less paints thinner. */
  readonly pressure: boolean;
  readonly maskStyle: MaskStyle;
  /** Whether an accepted mask takes its pixels away from the others. */
  readonly exclusive: boolean;
  /** Image pixels of one step of grow and shrink. */
  readonly growBy: number;
  /** Smallest part, in image pixels, that "Remove islands" leaves. */
  readonly smallestPart: number;
  /** Radius of "Smooth the edge" in image pixels. */
  readonly smoothBy: number;
}

export const DEFAULT_PREFERENCES: Preferences = {
  preset: "anymask",
  keys: {},
  clickOnly: false,
  dwell: null,
  largeTargets: false,
  pressure: true,
  maskStyle: "filled",
  exclusive: false,
  growBy: 1,
  smallestPart: 50,
  smoothBy: 2,
};

export const DWELL_SHORTEST = 300;
export const DWELL_LONGEST = 4000;

const within = (value: unknown, low: number, high: number, otherwise: number): number =>
  typeof value === "number" && value >= low && value <= high ? value : otherwise;
const oneOf = <T extends string>(value: unknown, known: readonly T[], otherwise: T): T =>
  known.includes(value as T) ? (value as T) : otherwise;

/** Stored preferences, whatever an older version or another program has made of them: what makes no sense is as at first. */
export function preferencesFrom(stored: unknown): Preferences {
  const raw = (typeof stored === "object" && stored !== null ? stored : {}) as Record<string, unknown>;
  const first = DEFAULT_PREFERENCES;
  const keys = Object.entries((typeof raw.keys === "object" && raw.keys) || {}).filter(
    (entry): entry is [string, string[]] =>
      Array.isArray(entry[1]) && entry[1].every((stroke) => typeof stroke === "string" && stroke !== ""),
  );
  return {
    preset: oneOf(raw.preset, ["anymask", "cvat", "label-studio"], first.preset),
    keys: Object.fromEntries(keys),
    clickOnly: raw.clickOnly === true,
    dwell: typeof raw.dwell === "number" ? within(raw.dwell, DWELL_SHORTEST, DWELL_LONGEST, 1000) : null,
    largeTargets: raw.largeTargets === true,
    pressure: raw.pressure !== false,
    maskStyle: oneOf(raw.maskStyle, ["filled", "patterned", "outlined"], first.maskStyle),
    exclusive: raw.exclusive === true,
    growBy: within(raw.growBy, 1, 100, first.growBy),
    smallestPart: within(raw.smallestPart, 1, 1_000_000, first.smallestPart),
    smoothBy: within(raw.smoothBy, 1, 7, first.smoothBy),
  };
}

/** Where preferences are kept; a browser's localStorage is one. */
export interface PreferenceStorage {
  load(): unknown;
  save(preferences: Preferences): void;
}

export class PreferenceStore {
  readonly changed = new Emitter<Preferences>();
  private preferences: Preferences;

  constructor(private readonly storage: PreferenceStorage) {
    this.preferences = preferencesFrom(storage.load());
  }

  get current(): Preferences {
    return this.preferences;
  }

  set(part: Partial<Preferences>): void {
    this.preferences = { ...this.preferences, ...part };
    this.storage.save(this.preferences);
    this.changed.emit(this.preferences);
  }
}

/** Whether tools have to do without a button that is held down. */
export const worksByClicks = (preferences: Preferences): boolean => preferences.clickOnly || preferences.dwell !== null;
