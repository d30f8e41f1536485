import type { Preferences } from "../core/preferences";
import type { EditorSession } from "./editorSession";
import { PRESETS } from "./presets";

/** What commands need of the page around the editor. */
export interface Page {
  submit(answer: "done" | "nothing_left"): void;
  skip(): void;
  leave(): void;
  /** Along the images that were opened: -1 back, +1 forward. */
  along(step: 1 | -1): void;
  /** History of the selected mask, beside what it is now. */
  history(): void;
  /** Brightness, channels, grid. */
  toggleView(): void;
  /** Keys, ways of working, looks. */
  openSettings(): void;
  toggleHelp(): void;
  togglePanel(): void;
}

export type CommandGroup = "Mask" | "Tools" | "Pixels" | "Crosshair" | "View" | "Image" | "Video" | "Help";

/** Everything a key, a button or a menu can do is one entry of a table. */
export interface Command {
  readonly id: string;
  readonly label: string;
  readonly group: CommandGroup;
  /** Strokes as keymap.strokeName writes them, unless a person or a preset says otherwise; the first is the one shown. */
  readonly keys: readonly string[];
  /** Whether holding the key down runs it again and again. */
  readonly repeats?: boolean;
  readonly enabled?: (session: EditorSession) => boolean;
  readonly run: (session: EditorSession, page: Page) => void;
}

type KeyChoice = Pick<Preferences, "preset" | "keys">;

/** The strokes of a command: the person's own, else the preset's, else the command's. */
export function keysOf(command: Command, choice: KeyChoice): readonly string[] {
  return choice.keys[command.id] ?? PRESETS[choice.preset][command.id] ?? command.keys;
}

/** Commands by stroke. Where two claim the same, the one whose keys the person has chosen gets it. */
export function strokeTable(commands: readonly Command[], choice: KeyChoice): ReadonlyMap<string, Command> {
  const table = new Map<string, Command>();
  const own = commands.filter((command) => choice.keys[command.id]);
  for (const command of [...own, ...commands]) {
    for (const stroke of keysOf(command, choice)) if (!table.has(stroke)) table.set(stroke, command);
  }
  return table;
}

/** Strokes that more than one command claims, with those commands. */
export function conflicts(commands: readonly Command[], choice: KeyChoice): ReadonlyMap<string, readonly Command[]> {
  const claims = new Map<string, Command[]>();
  for (const command of commands) {
    for (const stroke of keysOf(command, choice)) claims.set(stroke, [...(claims.get(stroke) ?? []), command]);
  }
  return new Map([...claims].filter(([, claimants]) => claimants.length > 1));
}

/** The person's keys after giving `stroke` to a command; whoever had it before gives it up. */
export function withStroke(
  commands: readonly Command[],
  choice: KeyChoice,
  command: Command,
  stroke: string,
): Preferences["keys"] {
  const keys: Record<string, readonly string[]> = { ...choice.keys };
  for (const other of commands) {
    const before = keysOf(other, choice);
    if (other.id !== command.id && before.includes(stroke)) keys[other.id] = before.filter((one) => one !== stroke);
  }
  keys[command.id] = [...keysOf(command, choice).filter((one) => one !== stroke), stroke];
  return keys;
}

/** The person's keys after taking a stroke from a command. */
export function withoutStroke(choice: KeyChoice, command: Command, stroke: string): Preferences["keys"] {
  return { ...choice.keys, [command.id]: keysOf(command, choice).filter((one) => one !== stroke) };
}

/** The person's keys with those of one command as the preset has them. */
export function withoutChange(choice: KeyChoice, command: Command): Preferences["keys"] {
  const { [command.id]: _, ...others } = choice.keys;
  return others;
}
