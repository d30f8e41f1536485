import { beforeEach, describe, expect, it } from "vitest";
import { History } from "../core/history";
import { type MaskItem, MaskStore } from "../core/maskStore";
import { maskItem as item } from "../core/testing";
import { MaskSync } from "./maskSync";

let store: MaskStore;
let history: History;
let ops: string[];
/** Whether the browser can store what is added, and how often it was told that it could not. */
let stored: boolean;
let told: number;

beforeEach(() => {
  store = new MaskStore();
  history = new History(store);
  ops = [];
  stored = true;
  told = 0;
  let ids = 0;
  new MaskSync({
    store,
    imageId: 1,
    taskId: () => 9,
    newId: () => `new-${++ids}`,
    onError: () => void told++,
    journal: {
      add: async (op) => {
        const body = op.body as { parent: string | null; segmentation: { counts: string } } | null;
        ops.push(
          body ? `${op.kind} ${op.maskId} = ${body.segmentation.counts} < ${body.parent}` : `${op.kind} ${op.maskId}`,
        );
        return stored;
      },
    },
  });
});

const accept = (one: MaskItem) =>
  history.gesture("Accept", () => {
    const parent = one.parent ? store.mask(one.parent) : null;
    if (parent) store.setMask(parent.id, { ...parent, status: "superseded" });
    store.setMask(one.id, one);
  });

describe("what the server is told", () => {
  it("is nothing of what came from it", () => {
    store.setMask("a", item("a"), "remote");
    expect(ops).toEqual([]);
  });

  it("follows accept, undo and redo", () => {
    accept(item("a"));
    history.undo();
    history.redo();
    expect(ops).toEqual(["put a = a < null", "delete a", "restore a"]);
  });

  it("follows a redo after the server has told of what was undone", () => {
    accept(item("a"));
    history.undo();
    store.setMask("a", item("a", { status: "deleted" }), "remote");
    history.redo();
    expect(store.mask("a")?.status).toBe("accepted");
    history.undo();
    expect(ops).toEqual(["put a = a < null", "delete a", "restore a", "delete a"]);
  });

  it("follows delete and restore", () => {
    store.setMask("a", item("a"), "remote");
    history.gesture("Delete", () => store.setMask("a", item("a", { status: "deleted" })));
    history.undo();
    expect(ops).toEqual(["delete a", "restore a"]);
  });

  it("takes a correction back by a further correction, since the server never edits", () => {
    accept(item("a"));
    accept(item("b", { parent: "a" }));
    history.undo();
    expect(ops.slice(1)).toEqual(["put b = b < a", "put new-1 = a < b"]);
    history.redo();
    expect(ops.at(-1)).toBe("put new-2 = b < new-1");
    history.undo();
    expect(ops.at(-1)).toBe("put new-3 = a < new-2");
  });

  it("uses the server's id of a mask that was taken back", () => {
    accept(item("a"));
    accept(item("b", { parent: "a" }));
    history.undo();
    history.gesture("Delete", () => store.setMask("a", item("a", { status: "deleted" })));
    expect(ops.at(-1)).toBe("delete new-1");
    history.undo();
    expect(ops.at(-1)).toBe("restore new-1");
  });
});

it("tells when the browser could not store a change", async () => {
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  accept(item("a"));
  await settle();
  expect(told).toBe(0);
  stored = false;
  accept(item("b"));
  await settle();
  expect(told).toBe(1);
  expect(ops).toHaveLength(2);
});
