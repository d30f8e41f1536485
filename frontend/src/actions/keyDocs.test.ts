import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COMMANDS } from "./commands";
import { strokeLabel } from "./keymap";

/** What the table of docs/editor-tools.md has to say of the commands. */
function rows(): string[] {
  return COMMANDS.map((command) => {
    const keys = command.keys.map((stroke) => `\`${strokeLabel(stroke)}\``).join(" ") || "–";
    return `| ${command.group} | ${command.label} | ${keys} |`;
  });
}

it("the key table of docs/editor-tools.md is the command table", () => {
  const page = readFileSync(new URL("../../../docs/editor-tools.md", import.meta.url), "utf8");
  const written = page.split("\n").filter((line) => rows().some((row) => row.split("|")[1] === line.split("|")[1]));
  expect(written).toEqual(rows());
});
