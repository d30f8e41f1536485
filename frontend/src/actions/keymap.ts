/** The parts of a KeyboardEvent that name a key stroke. */
export interface Stroke {
  readonly key: string;
  /** Place on the keyboard, such as "KeyZ" or "Digit1", whatever is printed there. */
  readonly code?: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Unidentified"]);

/**
 * Name of a stroke as commands list it, such as "Ctrl+Shift+Z", "Tab" or "?". The Mac's Command key counts as Ctrl.
 * Shift is part of the name for letters and named keys only: "?" is "?" on every keyboard, however it is typed.
 */
export function strokeName(stroke: Stroke): string {
  const letter = stroke.key.length === 1 && /[a-z]/i.test(stroke.key);
  const named = stroke.key.length > 1 || stroke.key === " ";
  const key = letter ? stroke.key.toUpperCase() : stroke.key === " " ? "Space" : stroke.key;
  return named || letter ? withModifiers(stroke, key, stroke.shiftKey) : withModifiers(stroke, key, false);
}

/**
 * Names under which a stroke is looked up, the likeliest first. Where the keyboard is not Latin, or a Mac's Alt makes
 * another character of a letter, the letter by its place counts; so does a digit that Shift makes a sign.
 */
export function strokeNames(stroke: Stroke): string[] {
  if (MODIFIERS.has(stroke.key)) return [];
  const names = [strokeName(stroke)];
  const place = /^(?:Key([A-Z])|Digit([0-9]))$/.exec(stroke.code ?? "");
  const printed = place?.[1] ?? place?.[2];
  const plain = stroke.key.length === 1 && /[a-z0-9]/i.test(stroke.key);
  if (printed && !plain) names.push(withModifiers(stroke, printed, stroke.shiftKey));
  return names;
}

function withModifiers(stroke: Stroke, key: string, shift: boolean): string {
  const parts = [(stroke.ctrlKey || stroke.metaKey) && "Ctrl", stroke.altKey && "Alt", shift && "Shift", key];
  return parts.filter(Boolean).join("+");
}

const SIGNS: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

/** A stroke as it is shown to people. */
export function strokeLabel(stroke: string): string {
  const parts = stroke.split("+");
  // A stroke of the plus key itself ends in an empty part.
  const key = parts.at(-1) || "+";
  return [...parts.slice(0, -1).filter(Boolean), SIGNS[key] ?? key].join("+");
}
