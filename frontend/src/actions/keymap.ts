/** The parts of a KeyboardEvent that name a key stroke. */
export interface Stroke {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/**
 * Name of a stroke as commands list it, such as "Ctrl+Shift+Z", "Tab" or "?". The Mac's Command key counts as Ctrl.
 * Shift is part of the name for letters and named keys only: "?" is "?" on every keyboard, however it is typed.
 */
export function strokeName(stroke: Stroke): string {
  const letter = stroke.key.length === 1 && /[a-z]/i.test(stroke.key);
  const named = stroke.key.length > 1;
  const parts: string[] = [];
  if (stroke.ctrlKey || stroke.metaKey) parts.push("Ctrl");
  if (stroke.altKey) parts.push("Alt");
  if (stroke.shiftKey && (letter || named)) parts.push("Shift");
  parts.push(letter ? stroke.key.toUpperCase() : stroke.key === " " ? "Space" : stroke.key);
  return parts.join("+");
}
