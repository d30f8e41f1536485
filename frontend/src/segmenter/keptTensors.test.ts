import { describe, expect, it, vi } from "vitest";
import { Kept, type RuntimeMemory } from "./keptTensors";

describe("tensors in the runtime's memory", () => {
  it("are released once, with their data, and not used again", () => {
    const release = vi.fn();
    const kept = new Kept({ release } as unknown as RuntimeMemory, new Map([["embedding", 64]]), [128]);
    expect(kept.address("embedding")).toBe(64);
    expect(() => kept.address("weights")).toThrow("weights");
    kept.free();
    kept.free();
    expect(release.mock.calls).toEqual([[[64], [128]]]);
    expect(() => kept.address("embedding")).toThrow("given up");
  });
});
