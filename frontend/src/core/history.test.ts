import { beforeEach, describe, expect, it } from "vitest";
import { withPoint } from "./draft";
import { imagePoint } from "./geometry";
import { History } from "./history";
import { MaskStore } from "./maskStore";
import { EMPTY_PATCH, type Patch, paintStroke } from "./patch";
import { samePixels } from "./pixels";
import { maskItem as mask } from "./testing";

let store: MaskStore;
let history: History;

beforeEach(() => {
  store = new MaskStore();
  history = new History(store);
});

describe("history", () => {
  it("undoes one gesture at a time, whatever it changed", () => {
    history.gesture("Click", () => store.setDraft(withPoint(store.draft, imagePoint(1, 2), 1, null)));
    history.gesture("Accept", () => {
      store.setMask("a", mask("a"));
      store.setDraft({ ...store.draft, steps: [] });
    });
    expect(history.undo()).toEqual({ label: "Accept", changed: true });
    expect(store.mask("a")).toBeNull();
    expect(store.draft.steps).toHaveLength(1);
    expect(history.undo()?.label).toBe("Click");
    expect(store.draft.steps).toHaveLength(0);
    expect(history.undo()).toBeNull();
    expect([history.redo(), history.redo(), history.redo()].map((one) => one?.label ?? null)).toEqual([
      "Click",
      "Accept",
      null,
    ]);
    expect(store.mask("a")).not.toBeNull();
  });

  it("has no limit within an image", () => {
    for (let i = 0; i < 300; i++) {
      history.gesture("Click", () => store.setDraft(withPoint(store.draft, imagePoint(i, i), 1, null)));
    }
    for (let i = 0; i < 300; i++) history.undo();
    expect(store.draft.steps).toHaveLength(0);
    for (let i = 0; i < 300; i++) history.redo();
    expect(store.draft.steps).toHaveLength(300);
  });

  it("brings back every stroke of 300, pixel by pixel, backwards and forwards", () => {
    const size = { width: 80, height: 60 };
    const states: (Patch | null)[] = [store.draft.edited];
    const same = (patch: Patch | null, expected: Patch | null | undefined) =>
      patch && expected ? samePixels(patch, expected) : patch === expected;
    for (let i = 0; i < 300; i++) {
      const at = imagePoint((i * 37) % 80, (i * 53) % 60);
      const edited = paintStroke(store.draft.edited ?? EMPTY_PATCH, [at], 9, i % 3 === 2 ? 0 : 1, size);
      history.gesture("Brush stroke", () => store.setDraft({ ...store.draft, edited, edits: i + 1 }));
      states.push(edited);
    }
    for (let i = 299; i >= 0; i--) {
      history.undo();
      expect(same(store.draft.edited, states[i]), `step ${i}`).toBe(true);
    }
    expect(history.undo()).toBeNull();
    for (let i = 1; i <= 300; i++) {
      history.redo();
      expect(same(store.draft.edited, states[i]), `step ${i}`).toBe(true);
    }
    expect(store.draft.edits).toBe(300);
  });

  it("forgets the future after something new", () => {
    store.setMask("a", mask("a"));
    history.undo();
    store.setMask("b", mask("b"));
    expect(history.redo()).toBeNull();
    expect(store.mask("a")).toBeNull();
  });

  it("never records what came from the server", () => {
    store.setMask("a", mask("a"), "remote");
    expect(history.undo()).toBeNull();
    expect(store.mask("a")).not.toBeNull();
  });

  it("leaves alone what the server changed since", () => {
    history.gesture("Accept", () => store.setMask("a", mask("a")));
    store.setMask("a", mask("a", { status: "deleted" }), "remote");
    history.undo();
    expect(store.mask("a")?.status).toBe("deleted");
  });

  it("joins a gesture inside a gesture, and drops one that changed nothing", () => {
    history.gesture("Outer", () => {
      history.gesture("Inner", () => store.setMask("a", mask("a")));
      store.setMask("b", mask("b"));
    });
    history.gesture("Nothing", () => undefined);
    expect(history.depth).toBe(1);
    history.undo();
    expect(store.visible()).toHaveLength(0);
  });
});
