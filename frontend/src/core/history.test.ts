import { beforeEach, describe, expect, it } from "vitest";
import { withPoint } from "./draft";
import { imagePoint } from "./geometry";
import { History } from "./history";
import { MaskStore } from "./maskStore";
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
    expect(history.undo()).toBe("Accept");
    expect(store.mask("a")).toBeNull();
    expect(store.draft.steps).toHaveLength(1);
    expect(history.undo()).toBe("Click");
    expect(store.draft.steps).toHaveLength(0);
    expect(history.undo()).toBeNull();
    expect([history.redo(), history.redo(), history.redo()]).toEqual(["Click", "Accept", null]);
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
