import { useEffect } from "react";
import { COMMANDS } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { strokeName } from "../../actions/keymap";
import { type Page, strokeTable } from "../../actions/registry";

const TABLE = strokeTable(COMMANDS);

/** Strokes that belong to the focused control when one has the focus. */
const CONTROL_STROKES = new Set([
  "Enter",
  "Space",
  "Tab",
  "Shift+Tab",
  "ArrowLeft",
  "ArrowRight",
  "ArrowUp",
  "ArrowDown",
]);

/** Runs commands by key while the editor is open; typing in a field or a dialog is left alone. */
export function useKeys(session: EditorSession, page: Page): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      session.clock.activity();
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [role=menu]") || document.querySelector("dialog[open]")) return;
      const stroke = strokeName(event);
      const onControl = target.closest("button, a, summary") !== null;
      if (onControl && CONTROL_STROKES.has(stroke)) return;
      const command = TABLE.get(stroke);
      if (!command) return;
      if (command.enabled && !command.enabled(session)) {
        // The browser's own meaning of these would surprise: leaving the page, saving it, undoing in a field.
        if (stroke.startsWith("Ctrl+")) event.preventDefault();
        return;
      }
      event.preventDefault();
      command.run(session, page);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [session, page]);
}
