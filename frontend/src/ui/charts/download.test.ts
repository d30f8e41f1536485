import { describe, expect, it } from "vitest";
import { toCsv } from "./download";

describe("toCsv", () => {
  it("quotes what needs it and leaves unknown values empty", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ['he said "x"', 1.5],
          ["p, q", null],
        ],
      ),
    ).toBe('a,b\r\n"he said ""x""",1.5\r\n"p, q",');
  });

  it("keeps a name from being a formula", () => {
    expect(toCsv(["a"], [["=1+1"]])).toBe("a\r\n'=1+1");
  });
});
