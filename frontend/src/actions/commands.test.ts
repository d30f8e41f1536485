import { describe, expect, it } from "vitest";
import { DEFAULT_PREFERENCES, type Preset } from "../core/preferences";
import { COMMANDS, COMMANDS_BY_ID } from "./commands";
import { strokeLabel, strokeName, strokeNames } from "./keymap";
import { PRESETS } from "./presets";
import { type Command, conflicts, keysOf, strokeTable, withoutChange, withoutStroke, withStroke } from "./registry";

const typed = (key: string, part: Partial<Parameters<typeof strokeName>[0]> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...part,
});
const presets = Object.keys(PRESETS) as Preset[];
const command = (id: string) => COMMANDS_BY_ID.get(id) as Command;

describe("commands", () => {
  it("have unique ids, and no preset gives one stroke to two of them", () => {
    expect(COMMANDS_BY_ID.size).toBe(COMMANDS.length);
    for (const preset of presets) expect([...conflicts(COMMANDS, { preset, keys: {} }).keys()], preset).toEqual([]);
  });

  it("are all there that a preset speaks of", () => {
    for (const preset of presets) {
      for (const id of Object.keys(PRESETS[preset])) expect(COMMANDS_BY_ID.has(id), `${preset}: ${id}`).toBe(true);
    }
  });

  it("keep the conventions that annotators know", () => {
    const table = strokeTable(COMMANDS, DEFAULT_PREFERENCES);
    const expected = {
      "Ctrl+Z": "mask.undo",
      "Ctrl+Shift+Z": "mask.redo",
      "Ctrl+Y": "mask.redo",
      Enter: "mask.accept",
      N: "mask.accept",
      Escape: "mask.cancel",
      B: "tool.brush",
      E: "tool.eraser",
      "[": "brush.smaller",
      "]": "brush.larger",
      H: "view.hide",
      "Ctrl+Enter": "image.submit",
      F1: "help.keys",
      "?": "help.keys",
    };
    for (const [key, id] of Object.entries(expected)) expect(table.get(key)?.id).toBe(id);
  });

  it("answer to the keys of other products by preset", () => {
    const cvat = strokeTable(COMMANDS, { preset: "cvat", keys: {} });
    const labelStudio = strokeTable(COMMANDS, { preset: "label-studio", keys: {} });
    expect(["N", "Shift+1", "Shift+2", "Shift+3", "D", "F"].map((key) => cvat.get(key)?.id)).toEqual([
      "mask.accept",
      "tool.brush",
      "tool.eraser",
      "tool.polygon",
      "image.back",
      "image.submit",
    ]);
    expect(["Shift+1", "Ctrl++", "Alt+H", "R"].map((key) => labelStudio.get(key)?.id)).toEqual([
      "view.fit",
      "view.in",
      "mask.hide",
      "tool.box",
    ]);
  });
});

describe("a person's own keys", () => {
  const first = DEFAULT_PREFERENCES;

  it("are given, taken from whoever had them, and given back", () => {
    const keys = withStroke(COMMANDS, first, command("tool.box"), "B");
    const own = { ...first, keys };
    expect(keysOf(command("tool.box"), own)).toEqual(["R", "B"]);
    expect(keysOf(command("tool.brush"), own)).toEqual([]);
    expect(strokeTable(COMMANDS, own).get("B")?.id).toBe("tool.box");
    expect(conflicts(COMMANDS, own).size).toBe(0);
    const fewer = { ...own, keys: withoutStroke(own, command("tool.box"), "R") };
    expect(keysOf(command("tool.box"), fewer)).toEqual(["B"]);
    const usual = { ...fewer, keys: withoutChange(fewer, command("tool.box")) };
    expect(keysOf(command("tool.box"), usual)).toEqual(["R"]);
  });

  it("win over a preset's, and what then clashes is named", () => {
    const own = { preset: "cvat" as const, keys: { "tool.select": ["F"] } };
    expect(strokeTable(COMMANDS, own).get("F")?.id).toBe("tool.select");
    expect(
      conflicts(COMMANDS, own)
        .get("F")
        ?.map((one) => one.id),
    ).toEqual(["tool.select", "image.submit"]);
  });
});

describe("stroke names", () => {
  it("are the same however a key is typed", () => {
    expect(strokeName(typed("z", { ctrlKey: true }))).toBe("Ctrl+Z");
    expect(strokeName(typed("Z", { metaKey: true, shiftKey: true }))).toBe("Ctrl+Shift+Z");
    expect(strokeName(typed("?", { shiftKey: true }))).toBe("?");
    expect(strokeName(typed("Tab", { shiftKey: true }))).toBe("Shift+Tab");
    expect(strokeName(typed(" ", { ctrlKey: true }))).toBe("Ctrl+Space");
    expect(strokeName(typed(" ", { shiftKey: true }))).toBe("Shift+Space");
  });

  it("fall back to the place of the key where the keyboard prints something else", () => {
    expect(strokeNames(typed("!", { shiftKey: true, code: "Digit1" }))).toEqual(["!", "Shift+1"]);
    expect(strokeNames(typed("я", { ctrlKey: true, code: "KeyZ" }))).toEqual(["Ctrl+я", "Ctrl+Z"]);
    expect(strokeNames(typed("z", { code: "KeyY" }))).toEqual(["Z"]); // a German keyboard means what it prints
    expect(strokeNames(typed("Shift", { shiftKey: true }))).toEqual([]);
  });

  it("are shown with the signs that keyboards carry", () => {
    expect(["Ctrl+ArrowLeft", "Escape", "Ctrl++", "+", "Shift+1"].map(strokeLabel)).toEqual([
      "Ctrl+←",
      "Esc",
      "Ctrl++",
      "+",
      "Shift+1",
    ]);
  });
});
