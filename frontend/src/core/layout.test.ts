import { beforeEach, describe, expect, it } from "vitest";
import { History } from "./history";
import { MaskLayout } from "./layout";
import { type MaskItem, MaskStore } from "./maskStore";
import { MASK_COLOURS } from "./palette";
import { maskItem as item } from "./testing";

let store: MaskStore;
let layout: MaskLayout;

beforeEach(() => {
  store = new MaskStore();
  layout = new MaskLayout(store);
});

const add = (one: MaskItem) => store.setMask(one.id, one);
const ids = () => layout.listed().map((one) => one.id);
const correct = (id: string, by: MaskItem) => {
  const before = store.mask(id);
  if (before) store.setMask(id, { ...before, status: "superseded" });
  add({ ...by, parent: id });
};

describe("colours", () => {
  it("differ while there are fewer masks than colours, whatever their ids", () => {
    for (let n = 0; n < MASK_COLOURS.length; n++) add(item(`mask-${n * 7}`));
    expect(new Set(layout.listed().map((one) => layout.colourOf(one.id))).size).toBe(MASK_COLOURS.length);
    const beyond = item("one more");
    add(beyond);
    expect(layout.styleOf(beyond.id)).toBeGreaterThanOrEqual(MASK_COLOURS.length);
  });

  it("stay with an object through corrections, and free themselves with a deleted one", () => {
    add(item("a"));
    const colour = layout.colourOf("a");
    correct("a", item("b"));
    expect(layout.colourOf("b")).toBe(colour);
    const b = store.mask("b") as MaskItem;
    add({ ...b, status: "deleted" });
    const rest = Array.from({ length: MASK_COLOURS.length }, (_, n) => item(`c${n}`));
    for (const one of rest) add(one);
    expect(new Set(rest.map((one) => layout.styleOf(one.id))).size).toBe(MASK_COLOURS.length);
    add(b);
    expect(rest.map((one) => layout.styleOf(one.id))).not.toContain(layout.styleOf("b"));
  });

  it("are given out anew on the next visit when there is room again", () => {
    const all = Array.from({ length: MASK_COLOURS.length + 3 }, (_, n) => item(`m${n}`));
    for (const one of all) add(one);
    for (const one of all.slice(0, 6)) add({ ...one, status: "deleted" });
    const again = new MaskLayout(store, layout.keep());
    const styles = again.listed().map((one) => again.styleOf(one.id));
    expect(Math.max(...styles)).toBeLessThan(MASK_COLOURS.length);
    expect(new Set(styles).size).toBe(styles.length);
  });

  it("are the same on the next visit", () => {
    for (let n = 0; n < 6; n++) add(item(`m${n}`));
    const again = new MaskLayout(store, layout.keep());
    for (const one of layout.listed()) expect(again.styleOf(one.id)).toBe(layout.styleOf(one.id));
  });
});

describe("order", () => {
  it("is that of arrival, can be changed, and is kept", () => {
    for (const id of ["a", "b", "c"]) add(item(id));
    layout.move("a", 1);
    expect(ids()).toEqual(["b", "a", "c"]);
    expect(layout.move("c", 1)).toBe(false);
    layout.moveTo("c", "b");
    expect(ids()).toEqual(["c", "b", "a"]);
    expect(new MaskLayout(store, layout.keep()).listed().map((one) => one.id)).toEqual(["c", "b", "a"]);
  });

  it("lets a correction take the place of what it corrects, and gives it back on undo", () => {
    const history = new History(store);
    for (const id of ["a", "b"]) add(item(id));
    history.gesture("Correct", () => correct("a", item("a2")));
    expect(ids()).toEqual(["a2", "b"]);
    history.undo();
    expect(ids()).toEqual(["a", "b"]);
  });
});

describe("locks", () => {
  it("lie on what a machine has made, until they are taken off", () => {
    add(item("mine"));
    add(item("proposal", { status: "proposed", createdBy: "" }));
    expect([...layout.locked]).toEqual(["proposal"]);
    layout.setLocked(["proposal"], false);
    expect(new MaskLayout(store, layout.keep()).locked.size).toBe(0);
    correct("proposal", item("corrected"));
    expect(layout.locked.size).toBe(0);
  });
});
