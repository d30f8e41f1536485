import { describe, expect, it } from "vitest";
import type { ModelVersion } from "../../api/types";
import { type Branch, familyOf } from "./versionTree";

const version = (digest: string, parent: string | null) => ({ digest, parent }) as ModelVersion;

const told = (branches: readonly Branch[]): unknown[] =>
  branches.map((branch) => [branch.version.digest, told(branch.children)]);

describe("the family of versions", () => {
  it("puts each below what it was trained from, oldest first", () => {
    const newestFirst = [version("c", "a"), version("b", "a"), version("d", "b"), version("a", null)];
    expect(told(familyOf(newestFirst))).toEqual([
      [
        "a",
        [
          ["b", [["d", []]]],
          ["c", []],
        ],
      ],
    ]);
  });

  it("begins a family where the parent is not among them", () => {
    expect(told(familyOf([version("b", "gone"), version("a", null)]))).toEqual([
      ["a", []],
      ["b", []],
    ]);
  });
});
