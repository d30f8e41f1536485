import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imagePoint } from "../core/geometry";
import { patchArea } from "../core/patch";
import { sharedArea } from "../core/pixels";
import { fillPolygon } from "../core/polygon";
import { holes } from "../core/regions";
import type { EditorSession } from "./editorSession";
import { openSession } from "./testingSession";

const size = { width: 200, height: 150 };
let session: EditorSession;
let notices: string[];

const square = (x: number, y: number, side: number) =>
  fillPolygon(
    [imagePoint(x, y), imagePoint(x + side, y), imagePoint(x + side, y + side), imagePoint(x, y + side)],
    size,
  );

/** A saved mask of one square, or of several; its id. */
function saved(...squares: [x: number, y: number, side: number][]): string {
  for (const [x, y, side] of squares) session.drafting.area(square(x, y, side), 1, null);
  return session.drafting.accept(1) ?? "";
}

const selected = (): number => session.selected?.area ?? -1;
const areas = () => session.store.visible().map((item) => item.area);

beforeEach(() => {
  session = openSession(size);
  notices = [];
  session.notices.on((message) => notices.push(message));
});

afterEach(() => session.close());

describe("work on the pixels of whole masks", () => {
  it("corrects the selected mask, one gesture each, and stays on it", () => {
    session.select(saved([20, 20, 40]));
    const before = selected();
    session.pixels.grow();
    const grown = selected();
    session.pixels.shrink();
    expect(grown).toBeGreaterThan(before);
    expect(selected()).toBeLessThan(grown);
    expect(session.selected).toMatchObject({ source: "hand", status: "accepted", edits: 3, predictedIou: null });
    session.undo();
    session.undo();
    expect(areas()).toEqual([before]);
  });

  it("is on the mask in the making when there is one", () => {
    session.select(saved([20, 20, 40]));
    session.drafting.area(square(100, 20, 20), 1, null);
    session.pixels.grow();
    expect(session.drafting.patch && patchArea(session.drafting.patch)).toBe(20 * 20 + 4 * 20);
    expect(areas()).toEqual([1600]);
  });

  it("works on several selected masks in one gesture", () => {
    const [first, second] = [saved([20, 20, 40]), saved([100, 20, 40])];
    session.select(first);
    session.alsoSelect(second);
    session.pixels.grow();
    expect(areas()).toEqual([1760, 1760]);
    expect(session.selection.map((item) => item.area)).toEqual([1760, 1760]);
    session.undo();
    expect(areas()).toEqual([1600, 1600]);
  });

  it("fills holes, says when there are none, and leaves locked masks alone", () => {
    session.drafting.area(square(20, 20, 40), 1, null);
    session.drafting.area(square(30, 30, 10), 0, null);
    const id = session.drafting.accept(1) ?? "";
    session.select(id);
    session.layout.setLocked([id], true);
    session.pixels.fillHoles();
    expect(session.selected && holes(session.selected.patch)).toHaveLength(1);
    session.layout.setLocked([id], false);
    session.pixels.fillHoles();
    expect(selected()).toBe(1600);
    session.pixels.fillHoles();
    expect(notices.at(-1)).toBe("There are no holes to fill.");
  });

  it("never makes a mask vanish by shrinking or by what the others hold", () => {
    session.select(saved([20, 20, 4]));
    session.preferences.set({ growBy: 10 });
    session.pixels.shrink();
    expect(areas()).toEqual([16]);
    saved([10, 10, 40]);
    session.select(session.store.visible().find((item) => item.area === 16)?.id ?? null);
    session.pixels.takeOthersAway();
    expect(areas()).toContain(16);
  });
});

describe("masks that share pixels", () => {
  it("are cut out of one another, either way round", () => {
    const [under, over] = [saved([20, 20, 40]), saved([40, 20, 40])];
    session.select(over);
    session.pixels.cutOutOfOthers();
    expect(notices.at(-1)).toBe("Cut out of 1 other mask.");
    expect(areas().toSorted((a, b) => a - b)).toEqual([800, 1600]);
    session.undo();
    expect(session.store.mask(under)?.status).toBe("accepted");
    session.select(over);
    session.pixels.takeOthersAway();
    const [one, other] = session.store.visible();
    expect(one && other && sharedArea(one.patch, other.patch)).toBe(0);
    expect(session.selected?.parent).toBe(over);
  });

  it("are cut only where somebody vouches for them: proposals are left alone, and it says so", () => {
    const [over, proposal] = [saved([40, 20, 40]), saved([70, 20, 40])];
    const made = session.store.mask(proposal);
    if (made) session.store.setMask(proposal, { ...made, status: "proposed", source: "model", track: "t" }, "remote");
    session.select(over);
    session.pixels.cutOutOfOthers();
    const told = "1 proposal is left as before.";
    expect(notices.at(-1)).toBe(`No accepted mask shares its pixels; ${told}`);
    saved([20, 20, 40]);
    session.pixels.cutOutOfOthers();
    expect(notices.at(-1)).toBe(`Cut out of 1 other mask; ${told}`);
    expect(session.store.mask(proposal)).toMatchObject({ status: "proposed", area: 1600 });
  });

  it("vanish when all they had was another's, and undo brings them back", () => {
    const small = saved([30, 30, 10]);
    const large = saved([20, 20, 40]);
    session.select(large);
    session.pixels.cutOutOfOthers();
    expect(session.store.mask(small)?.status).toBe("deleted");
    session.undo();
    expect(session.store.mask(small)?.status).toBe("accepted");
  });
});

describe("split and merge", () => {
  it("make masks of parts, and one mask of several, each in one gesture", () => {
    const whole = saved([20, 20, 40], [100, 20, 20]);
    session.select(whole);
    session.pixels.split();
    expect(areas().toSorted((a, b) => a - b)).toEqual([400, 1600]);
    const [largest, other] = session.store.visible().toSorted((a, b) => b.area - a.area);
    expect([largest?.parent, other?.parent]).toEqual([whole, null]);
    session.select(largest?.id ?? null);
    session.alsoSelect(other?.id ?? null);
    session.pixels.merge();
    expect(areas()).toEqual([2000]);
    session.undo();
    session.undo();
    expect(session.store.visible().map((item) => item.id)).toEqual([whole]);
  });

  it("say what is missing", () => {
    session.select(saved([20, 20, 40]));
    session.pixels.split();
    session.pixels.merge();
    expect(notices.slice(-2).map((notice) => notice.slice(0, 22))).toEqual([
      "This mask has one part",
      "Select two masks or mo",
    ]);
  });
});
