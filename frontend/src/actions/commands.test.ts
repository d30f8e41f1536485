import { describe, expect, it } from "vitest";
import { COMMANDS } from "./commands";
import { strokeName } from "./keymap";
import { strokeTable } from "./registry";

const stroke = (key: string, part: Partial<Parameters<typeof strokeName>[0]> = {}) =>
  strokeName({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...part });

describe("commands", () => {
  it("claim every stroke once and have unique ids", () => {
    const table = strokeTable(COMMANDS);
    expect(table.size).toBe(COMMANDS.flatMap((command) => command.keys).length);
    expect(new Set(COMMANDS.map((command) => command.id)).size).toBe(COMMANDS.length);
  });

  it("keep the conventions that annotators know", () => {
    const table = strokeTable(COMMANDS);
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
});

describe("stroke names", () => {
  it("are the same however a key is typed", () => {
    expect(stroke("z", { ctrlKey: true })).toBe("Ctrl+Z");
    expect(stroke("Z", { metaKey: true, shiftKey: true })).toBe("Ctrl+Shift+Z");
    expect(stroke("?", { shiftKey: true })).toBe("?");
    expect(stroke("Tab", { shiftKey: true })).toBe("Shift+Tab");
    expect(stroke(" ", { ctrlKey: true })).toBe("Ctrl+Space");
  });
});
