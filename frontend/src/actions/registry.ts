import type { EditorSession } from "./editorSession";

/** What commands need of the page around the editor. */
export interface Page {
  submit(answer: "done" | "nothing_left"): void;
  skip(): void;
  leave(): void;
  toggleHelp(): void;
  togglePanel(): void;
}

export type CommandGroup = "Mask" | "Tools" | "View" | "Image" | "Help";

/** Everything a key, a button or a menu can do is one entry of a table. */
export interface Command {
  readonly id: string;
  readonly label: string;
  readonly group: CommandGroup;
  /** Strokes as keymap.strokeName writes them; the first is the one shown. */
  readonly keys: readonly string[];
  readonly enabled?: (session: EditorSession) => boolean;
  readonly run: (session: EditorSession, page: Page) => void;
}

/** The table by stroke. Throws when two commands claim the same one: a conflict is a bug, found by a test. */
export function strokeTable(commands: readonly Command[]): ReadonlyMap<string, Command> {
  const table = new Map<string, Command>();
  for (const command of commands) {
    for (const key of command.keys) {
      const other = table.get(key);
      if (other) throw new Error(`${key} belongs to both ${other.id} and ${command.id}.`);
      table.set(key, command);
    }
  }
  return table;
}
