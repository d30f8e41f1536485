import { describe, expect, it } from "vitest";
import { DEFAULT_PREFERENCES, PreferenceStore, type Preferences, preferencesFrom } from "./preferences";

describe("preferences", () => {
  it("are kept, and told to whoever listens", () => {
    let kept: unknown = null;
    const storage = {
      load: () => kept,
      save: (preferences: Preferences) => (kept = JSON.parse(JSON.stringify(preferences))),
    };
    const store = new PreferenceStore(storage);
    expect(store.current).toEqual(DEFAULT_PREFERENCES);
    const heard: unknown[] = [];
    store.changed.on((preferences) => heard.push(preferences.dwell));
    store.set({ dwell: 900, keys: { "tool.brush": ["Shift+1"] }, preset: "cvat" });
    expect(heard).toEqual([900]);
    expect(new PreferenceStore(storage).current).toEqual(store.current);
  });

  it("are as at first where what was stored makes no sense", () => {
    for (const damaged of [
      null,
      3,
      "x",
      [],
      { preset: "photoshop", keys: 5, growBy: -1, dwell: "long", smoothBy: 99 },
    ]) {
      expect(preferencesFrom(damaged)).toEqual(DEFAULT_PREFERENCES);
    }
    const partly = preferencesFrom({ keys: { a: ["X"], b: "X", c: [1], d: [] }, dwell: 5, exclusive: true });
    expect(partly).toEqual({ ...DEFAULT_PREFERENCES, keys: { a: ["X"], d: [] }, dwell: 1000, exclusive: true });
  });
});
