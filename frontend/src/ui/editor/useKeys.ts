import { useEffect } from "react";
import { COMMANDS } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { strokeNames } from "../../actions/keymap";
import { type Command, type Page, strokeTable } from "../../actions/registry";
import type { Preferences } from "../../core/preferences";

/** Strokes that belong to the focused control, or to the menu it is in, when one has the focus. */
const CONTROL_STROKES = new Set([
  "Enter",
  "Space",
  "Shift+Space",
  "Tab",
  "Shift+Tab",
  "ArrowLeft",
  "ArrowRight",
  "ArrowUp",
  "ArrowDown",
]);

/** Groups of commands that mean the same on whatever frame is shown. */
const ANYWHERE = new Set(["Video", "View", "Help"]);

/** Where F6 and Shift+F6 go, in turn: no key that the picture uses can keep anybody from leaving it. */
const REGIONS = [
  ".editor__top :is(a, button):enabled, .editor__top a",
  ".editor__rail button:enabled",
  "canvas[data-layer=overlay]",
  ".strip button:enabled",
  ".editor__side :is(button, input):enabled",
  ".film [role=slider]",
];

const tables = new WeakMap<Preferences, ReadonlyMap<string, Command>>();

function commandOf(preferences: Preferences, event: KeyboardEvent): [string, Command] | null {
  const table = tables.get(preferences) ?? strokeTable(COMMANDS, preferences);
  tables.set(preferences, table);
  for (const stroke of strokeNames(event)) {
    const command = table.get(stroke);
    if (command) return [stroke, command];
  }
  return null;
}

/** Runs commands by key while the editor is open; typing in a field or a dialog is left alone. */
export function useKeys(session: EditorSession, page: Page): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      session.clock.activity();
      const target = event.target as HTMLElement;
      if (event.key === "F6") return nextRegion(event);
      if (target.closest("input:not([type=range]), textarea, select, [role=menu], [role=listbox]")) return;
      if (document.querySelector("dialog[open]")) return;
      const found = commandOf(session.preferences.current, event);
      if (!found) return;
      const [stroke, command] = found;
      if (CONTROL_STROKES.has(stroke) && target.closest("button, a, summary, input")) return;
      if (event.key === "Escape" && target.closest("[role=dialog]")) return;
      if (command.enabled && !command.enabled(session)) {
        // The browser's own meaning of these would surprise: leaving the page, saving it, undoing in a field.
        if (stroke.startsWith("Ctrl+")) event.preventDefault();
        return;
      }
      event.preventDefault();
      // Another frame is looked at than the one whose masks it would change: that one is opened first.
      if (!ANYWHERE.has(command.group) && session.options.video?.settle()) return;
      if (!event.repeat || command.repeats) command.run(session, page);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [session, page]);
}

function nextRegion(event: KeyboardEvent): void {
  event.preventDefault();
  const places = REGIONS.map((selector) => document.querySelector<HTMLElement>(selector)).filter(
    (place) => place !== null && place.offsetParent !== null,
  );
  const current = REGIONS.findIndex((selector) => (event.target as HTMLElement).matches(selector));
  const here = places.findIndex((place) => place?.matches(REGIONS[current] ?? "none"));
  const step = event.shiftKey ? -1 : 1;
  places[(here + step + places.length) % places.length]?.focus();
}
