import { beforeEach, describe, expect, it } from "vitest";
import { EMPTY_DRAFT } from "../core/draft";
import { type ImagePoint, imagePoint } from "../core/geometry";
import { History } from "../core/history";
import { Timings } from "../core/latency";
import { MaskStore } from "../core/maskStore";
import { EMPTY_PATCH, paintStroke, patchArea, patchHas } from "../core/patch";
import { sharedArea } from "../core/pixels";
import { fillPolygon } from "../core/polygon";
import { decodePatch, encodePatch } from "../core/rle";
import { maskItem } from "../core/testing";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import { bestOf, type Candidate } from "../segmenter/segmenter";
import { Drafting } from "./drafting";

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const size = { width: 120, height: 90 };

let store: MaskStore;
let history: History;
let segmenter: FakeSegmenter;
let drafting: Drafting;
let notices: string[];
let exclusive: boolean;
let locked: Set<string>;

function fresh(from: MaskStore = new MaskStore(), stubborn = false): void {
  store = from;
  history = new History(store);
  segmenter = new FakeSegmenter(size);
  segmenter.stubborn = stubborn;
  notices = [];
  exclusive = false;
  locked = new Set();
  let ids = 0;
  drafting = new Drafting({
    store,
    history,
    segmenter,
    imageId: 1,
    size,
    stage: "assisted",
    author: "ben",
    timings: new Timings(),
    changed: () => undefined,
    notice: (message) => notices.push(message),
    newId: () => `id-${++ids}`,
    exclusive: () => exclusive,
    locked: (id) => locked.has(id),
  });
  drafting.setReady("fake");
}

/** Pixels of a mask: a disc of radius 10. */
function encodedDisc(x: number) {
  const patch = paintStroke(EMPTY_PATCH, [imagePoint(x, 30)], 10, 1, size);
  return { patch, segmentation: encodePatch(patch, [size.height, size.width]), area: patchArea(patch) };
}

beforeEach(() => fresh());

describe("a mask in the making", () => {
  it("offers three readings of one click, small to large, the best one first shown", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    expect(drafting.candidates.map((one) => one.token)).toEqual([1, 2, 3]);
    expect(drafting.chosen?.token).toBe(3);
    drafting.cycle(1);
    expect(drafting.chosen?.token).toBe(1);
    drafting.choose(1);
    expect(drafting.chosen?.token).toBe(2);
  });

  it("offers the single mask first after a second prompt, fed with what was on the screen", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    drafting.choose(0);
    const seen = drafting.chosen;
    drafting.addPoint(imagePoint(64, 45), 0);
    await settle();
    expect(drafting.candidates.map((one) => one.token)[0]).toBe(0);
    expect(segmenter.requests.at(-1)?.feed).toBe(seen);
    expect(segmenter.requests.at(-1)?.labels).toEqual([1, 0]);
  });

  it("needs something to remove from", () => {
    drafting.addPoint(imagePoint(60, 45), 0);
    expect(drafting.empty).toBe(true);
    expect(notices).toHaveLength(1);
  });

  it("comes back by undo without asking again, prompt by prompt", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    const first = drafting.patch;
    drafting.addPoint(imagePoint(20, 20), 1);
    await settle();
    const asked = segmenter.requests.length;
    history.undo();
    await settle();
    expect(drafting.patch).toBe(first);
    expect(segmenter.requests).toHaveLength(asked);
    history.redo();
    await settle();
    expect(drafting.draft.steps).toHaveLength(2);
  });

  it("is the same mask after a reload", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    drafting.choose(1);
    drafting.addPoint(imagePoint(66, 45), 0);
    await settle();
    const before = drafting.patch;
    const kept = store.draft;
    fresh();
    store.setDraft(JSON.parse(JSON.stringify(kept)), "remote");
    await settle();
    expect(drafting.patch).toEqual(before);
  });

  it("is accepted with its provenance, and undone in one step", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    drafting.choose(0);
    const id = drafting.accept(3.5) ?? "";
    expect(store.mask(id)).toMatchObject({
      status: "accepted",
      source: "model",
      model: "fake",
      chosen: 0,
      seconds: 3.5,
      prompts: [{ type: "point", x: 60, y: 45, label: 1, fed: null }],
    });
    expect(store.mask(id)?.candidates).toHaveLength(3);
    expect(drafting.empty).toBe(true);
    history.undo();
    await settle();
    expect(store.mask(id)).toBeNull();
    expect(drafting.chosen?.token).toBe(1);
  });

  it("is accepted when its answer comes, however quick the hand was", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    drafting.choose(1);
    expect(drafting.accept(1)).toBeNull();
    const ids: (string | null)[] = [];
    drafting.whenAnswered(() => ids.push(drafting.accept(1)));
    await settle();
    expect(store.mask(ids[0] ?? "")).toMatchObject({ chosen: 1 });
    drafting.addPoint(imagePoint(30, 30), 1);
    drafting.whenAnswered(() => ids.push(drafting.accept(1)));
    drafting.cancel();
    await settle();
    expect(ids).toHaveLength(1);
  });

  it("is the painted pixels once somebody painted", async () => {
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    drafting.stroke([imagePoint(60, 45)], 2, 0, null);
    const id = drafting.accept(1) ?? "";
    expect(store.mask(id)).toMatchObject({ source: "model_edited", edits: 1, predictedIou: null });
  });

  it("sends the rough mask along with every click after it, not the last answer", async () => {
    drafting.stroke([imagePoint(30, 30)], 6, 1, null);
    const painted = drafting.patch;
    drafting.addPoint(imagePoint(38, 30), 0);
    await settle();
    drafting.addPoint(imagePoint(30, 40), 1);
    await settle();
    const asked = segmenter.requests.at(-1);
    expect(asked?.points).toHaveLength(3);
    expect(asked?.feed).toBeNull();
    expect(asked?.rough && decodePatch(asked.rough)).toEqual(painted);
  });

  it("lets go of a rough mask for good once an answer disobeys a click", async () => {
    fresh(store, true);
    drafting.stroke([imagePoint(30, 30)], 6, 1, null);
    drafting.addPoint(imagePoint(60, 30), 1);
    await settle();
    const [held, freed] = segmenter.requests.slice(-2);
    expect([held?.feed, freed?.feed?.token]).toEqual([null, 0]);
    expect(drafting.patch && patchHas(drafting.patch, imagePoint(60, 30))).toBe(true);

    drafting.scribble([imagePoint(90, 30), imagePoint(90, 60)], 1);
    await settle();
    const [mask, first, ...others] = drafting.draft.steps.map((step) => step.fed);
    expect([mask, first, new Set(others)]).toEqual([null, null, new Set([0])]);
    const made = drafting.patch;
    expect(segmenter.requests.slice(-3).every((asked) => asked.feed?.token === 0)).toBe(true);

    fresh(store, true);
    await settle();
    expect(drafting.patch).toEqual(made);
    expect(segmenter.requests.at(-1)?.points).toHaveLength(drafting.draft.steps.length);
  });

  it("gives up the middle of a rough mask where a negative click says that the object is not there", async () => {
    drafting.stroke([imagePoint(30, 30)], 6, 1, null);
    drafting.addPoint(imagePoint(31, 30), 0);
    await settle();
    const asked = segmenter.requests.at(-1);
    expect([asked?.points, asked?.labels]).toEqual([[{ x: 31, y: 30 }], [0]]);
  });

  it("goes to the model as a rough mask when a click follows the brush", async () => {
    drafting.stroke([imagePoint(30, 30)], 6, 1, null);
    const painted = drafting.patch;
    drafting.addPoint(imagePoint(38, 30), 0);
    await settle();
    const asked = segmenter.requests.at(-1);
    expect(asked?.points).toHaveLength(2);
    expect(asked?.points[1]).toEqual({ x: 38, y: 30 });
    expect(asked?.labels).toEqual([1, 0]);
    expect(asked?.rough && decodePatch(asked.rough)).toEqual(painted);
    expect(painted && patchHas(painted, asked?.points[0] as ImagePoint)).toBe(true);
    expect(asked?.box).toBeNull();
    expect(drafting.draft.edited).toBeNull();
    const id = drafting.accept(1) ?? "";
    expect(store.mask(id)).toMatchObject({ source: "model_edited", edits: 1, model: "fake" });
    expect(store.mask(id)?.prompts.map((one) => (one as { type: string }).type)).toEqual(["mask", "point"]);
    history.undo();
    history.undo();
    await settle();
    expect(drafting.patch).toEqual(painted);
  });

  it("takes a scribble as clicks along it, and feeds what was on the screen into the first", async () => {
    drafting.scribble([imagePoint(10, 40), imagePoint(110, 40)], 1);
    await settle();
    expect(segmenter.requests).toHaveLength(1);
    expect(segmenter.requests[0]?.points).toHaveLength(4);
    drafting.scribble([imagePoint(10, 80), imagePoint(20, 80)], 0);
    await settle();
    expect(drafting.draft.steps.slice(4).map((step) => step.fed)).toEqual([0, 0]);
    expect(segmenter.requests.at(-1)?.labels).toEqual([1, 1, 1, 1, 0, 0]);
    history.undo();
    history.undo();
    expect(drafting.empty).toBe(true);
  });

  it("is added to and cut by areas, each undone by itself", () => {
    const square = (x: number) =>
      fillPolygon([imagePoint(x, 20), imagePoint(x + 20, 20), imagePoint(x + 20, 40), imagePoint(x, 40)], size);
    drafting.area(square(20), 1, null);
    drafting.area(square(30), 0, null);
    expect(drafting.patch && patchArea(drafting.patch)).toBe(200);
    history.undo();
    expect(drafting.patch && patchArea(drafting.patch)).toBe(400);
    expect(drafting.rework("Nothing", (patch) => patch)).toBe(false);
    expect(history.depth).toBe(1);
  });

  it("takes its pixels from the others where masks may not overlap, but not from locked ones", () => {
    const discs = [imagePoint(30, 40), imagePoint(60, 40)].map((point) => {
      drafting.stroke([point], 10, 1, null);
      return drafting.accept(1) ?? "";
    });
    locked.add(discs[1] ?? "");
    exclusive = true;
    drafting.stroke([imagePoint(30, 40), imagePoint(60, 40)], 4, 1, null);
    const id = drafting.accept(1) ?? "";
    const current = store.visible();
    expect(current).toHaveLength(3);
    for (const one of current) {
      for (const other of current) if (one !== other) expect(sharedArea(one.patch, other.patch)).toBe(0);
    }
    expect(store.mask(discs[0] ?? "")?.status).toBe("superseded");
    expect(store.mask(discs[1] ?? "")?.status).toBe("accepted");
    history.undo();
    expect(store.mask(id)).toBeNull();
    expect(store.mask(discs[0] ?? "")?.status).toBe("accepted");
  });

  it("takes no pixels from proposals: nobody has looked at those", () => {
    store.setMask("p", maskItem("p", { ...encodedDisc(30), status: "proposed", track: "t" }), "remote");
    exclusive = true;
    drafting.stroke([imagePoint(34, 30)], 6, 1, null);
    const id = drafting.accept(1) ?? "";
    expect(store.visible().map((item) => [item.id, item.status])).toEqual([
      ["p", "proposed"],
      [id, "accepted"],
    ]);
  });

  it("by brush alone is made by hand; on a selected mask it corrects that", async () => {
    drafting.stroke([imagePoint(30, 30)], 6, 1, null);
    const first = drafting.accept(1) ?? "";
    expect(store.mask(first)?.source).toBe("hand");
    drafting.stroke([imagePoint(40, 30)], 6, 1, store.mask(first));
    const second = drafting.accept(1) ?? "";
    expect(store.mask(second)).toMatchObject({ parent: first, source: "hand" });
    expect(store.mask(first)?.status).toBe("superseded");
    history.undo();
    expect(store.mask(first)?.status).toBe("accepted");
  });

  it("on an imported mask is by hand unless a model was asked", async () => {
    const imported = encodedDisc(30);
    store.setMask("i", maskItem("i", { ...imported, source: "imported" }), "remote");
    drafting.stroke([imagePoint(40, 30)], 6, 1, store.mask("i"));
    expect(store.mask(drafting.accept(1) ?? "")).toMatchObject({ parent: "i", source: "hand" });
    store.setMask("j", maskItem("j", { ...imported, source: "imported" }), "remote");
    drafting.refine(store.mask("j"));
    await settle();
    drafting.stroke([imagePoint(40, 30)], 6, 1, null);
    expect(store.mask(drafting.accept(1) ?? "")).toMatchObject({ parent: "j", source: "model_edited" });
    for (const source of ["model", "model_edited"] as const) {
      store.setMask(source, maskItem(source, { ...imported, source }), "remote");
      drafting.stroke([imagePoint(40, 30)], 6, 1, store.mask(source));
      expect(store.mask(drafting.accept(1) ?? "")).toMatchObject({ parent: source, source: "model_edited" });
    }
  });

  it("previews under the pointer only until the first prompt", async () => {
    drafting.hover(imagePoint(60, 45));
    await settle();
    expect(drafting.hovered).not.toBeNull();
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    drafting.hover(imagePoint(20, 20));
    await settle();
    expect(drafting.hovered).toBeNull();
    expect(drafting.cancel()).toBe(true);
    expect(store.draft).toBe(EMPTY_DRAFT);
    expect(drafting.accept(1)).toBeNull();
  });
});

describe("the answer on its way", () => {
  it("shows at once what the preview has shown at the same place, and is accepted only when all of it is there", async () => {
    drafting.hover(imagePoint(60, 45));
    await settle();
    const seen = drafting.hovered;
    drafting.addPoint(imagePoint(60, 45), 1);
    expect(drafting.busy).toBe(true);
    expect(drafting.answered).toBe(true);
    expect(drafting.patch).toBe(seen);
    expect(drafting.accept(1)).toBeNull();
    await settle();
    expect(drafting.busy).toBe(false);
    expect(drafting.candidates).toHaveLength(3);
    expect(drafting.patch).toEqual(seen);
  });

  it("takes the preview that was under way when the click came for its first answer", async () => {
    const decode = segmenter.decode.bind(segmenter);
    segmenter.decode = (request) => (request.purpose === "prompt" ? new Promise(() => undefined) : decode(request));
    drafting.hover(imagePoint(60, 45));
    drafting.addPoint(imagePoint(60, 45), 1);
    expect(drafting.answered).toBe(false);
    await settle();
    expect(drafting.answered).toBe(true);
    expect(drafting.patch?.width).toBeGreaterThan(0);
    expect(drafting.accept(1)).toBeNull();
  });

  it("has nothing to show of a click elsewhere, nor of one that removes", async () => {
    drafting.hover(imagePoint(60, 45));
    await settle();
    drafting.addPoint(imagePoint(61, 45), 1);
    expect(drafting.answered).toBe(false);
    expect(drafting.patch).toBeNull();
    await settle();
    drafting.addPoint(imagePoint(60, 45), 0);
    expect(drafting.answered).toBe(false);
  });

  it("shows the first mask before the others are made", async () => {
    let finish: () => void = () => undefined;
    const made = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const decode = segmenter.decode.bind(segmenter);
    segmenter.decode = async (request, onBest?: (best: Candidate) => void) => {
      const answer = await decode(request);
      const best = bestOf(answer.candidates);
      if (best) onBest?.(best);
      await made;
      return answer;
    };
    drafting.addPoint(imagePoint(60, 45), 1);
    await settle();
    expect([drafting.busy, drafting.answered, drafting.candidates.length]).toEqual([true, true, 0]);
    const first = drafting.chosen;
    finish();
    await settle();
    expect(drafting.chosen).toBe(first);
    expect(drafting.candidates).toHaveLength(3);
  });
});
