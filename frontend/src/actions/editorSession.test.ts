import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ImageRecord, MaskRecord, User } from "../api/types";
import type { EMPTY_DRAFT } from "../core/draft";
import { imagePoint, type Size } from "../core/geometry";
import { Journal, type JournalOp } from "../core/journal";
import { Timings } from "../core/latency";
import { MemoryJournal } from "../core/memoryJournal";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { sharedArea } from "../core/pixels";
import { encodePatch } from "../core/rle";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import { MemoryPersonal, type Visit } from "../storage/database";
import { EditorSession } from "./editorSession";
import { itemFromRecord } from "./records";
import { maskRecord } from "./testingRecords";
import { ViewState } from "./viewState";

const size: Size = { width: 120, height: 90 };
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const disc = (x: number) => paintStroke(EMPTY_PATCH, [{ x, y: 40 }], 10, 1, size);
const runs = (x: number): MaskRecord["segmentation"] => ({
  size: [size.height, size.width],
  counts: encodePatch(disc(x), [size.height, size.width]).counts,
});
const record = (id: string, part: Partial<MaskRecord> = {}): MaskRecord =>
  maskRecord(id, { segmentation: runs(30), area: 300, created_by: "ben", ...part });

let sent: JournalOp[];
let notices: string[];
let visits: MemoryPersonal<Visit>;
let drafts: MemoryPersonal<typeof EMPTY_DRAFT>;
let session: EditorSession;

/** An editor without a browser: nobody answers its requests, so it works as it does offline. */
function open(masks: MaskRecord[], visit: Visit | null = null): EditorSession {
  const opened = new EditorSession({
    image: { id: 5, dataset: 1, ...size } as ImageRecord,
    loaded: { at: "2026-01-01T00:00:00Z", masks, task: null },
    visit,
    stage: "assisted",
    user: { id: 7, username: "ben", name: "Ben" } as User,
    task: null,
    mayEdit: true,
    segmenter: new FakeSegmenter(size),
    journal: new Journal({
      store: new MemoryJournal(),
      userId: 7,
      later: () => () => undefined,
      send: async (op) => {
        sent.push(op);
        return { kind: "done" };
      },
    }),
    drafts,
    visits,
    timings: new Timings(),
    view: new ViewState({ getItem: () => null, setItem: () => undefined }),
    video: null,
    next: { finish: () => null },
  });
  opened.flow.hold = { kind: "offline", message: "away" };
  opened.notices.on((message) => notices.push(message));
  return opened;
}

beforeEach(() => {
  sent = [];
  notices = [];
  visits = new MemoryPersonal();
  drafts = new MemoryPersonal();
});

afterEach(() => session.close());

const names = () => session.layout.listed().map((item) => `${item.category || item.id}`);

describe("a locked mask", () => {
  it("is left alone by every tool until it is unlocked", async () => {
    session = open([record("a")]);
    session.masks.setLocked(["a"], true);
    session.masks.delete("a");
    session.masks.setCategory("a", "cat");
    session.correct("a");
    session.select("a");
    session.setTool("brush");
    expect(names()).toEqual(["a"]);
    expect(session.drafting.empty).toBe(true);
    expect(notices.filter((one) => one.startsWith("This mask is locked"))).toHaveLength(3);
    session.masks.setLocked(["a"], false);
    session.masks.delete("a");
    await settle();
    expect(sent.map((op) => `${op.kind} ${op.maskId}`)).toEqual(["delete a"]);
  });
});

describe("proposals", () => {
  const proposal = (id: string) => record(id, { status: "proposed", created_by: null, source: "model" });

  it("become this person's masks in one gesture, which undo takes back", async () => {
    session = open([proposal("p"), proposal("q"), record("mine")]);
    session.masks.keep(["p", "q", "mine"]);
    expect(session.layout.listed().map((item) => item.status)).toEqual(["accepted", "accepted", "accepted"]);
    expect(session.layout.listed().some((item) => session.layout.locked.has(item.id))).toBe(false);
    await settle();
    expect(sent.map((op) => [op.kind, op.body?.parent, op.body?.source])).toEqual([
      ["put", "p", "model"],
      ["put", "q", "model"],
    ]);
    session.undo();
    expect(session.layout.listed().filter((item) => item.status === "proposed")).toHaveLength(2);
  });
});

describe("proposals where masks may not overlap", () => {
  const proposal = (id: string, x: number) =>
    record(id, { status: "proposed", created_by: null, source: "model", segmentation: runs(x), predicted_iou: 0.9 });
  const keep = (...ids: string[]) => {
    session.preferences.set({ exclusive: true });
    session.masks.keep(ids);
    return session.store.visible();
  };
  afterEach(() => session.preferences.set({ exclusive: false }));

  it("yield to accepted masks, and to one another, when they are kept", () => {
    session = open([record("mine"), proposal("p", 40), proposal("q", 50), proposal("apart", 90)]);
    const [mine, p, q, apart] = keep("p", "q", "apart");
    expect([mine?.id, mine?.patch]).toEqual(["mine", disc(30)]);
    const shared = [mine, p, q, apart].flatMap((one, at, all) =>
      all.slice(at + 1).map((other) => (one && other ? sharedArea(one.patch, other.patch) : -1)),
    );
    expect(new Set(shared)).toEqual(new Set([0]));
    expect(p).toMatchObject({ parent: "p", status: "accepted", source: "model_edited", predictedIou: null });
    expect(apart).toMatchObject({ parent: "apart", source: "model", predictedIou: 0.9, patch: disc(90) });
    expect(notices.at(-1)).toBe("3 proposals kept.");
    session.undo();
    expect(session.store.visible().map((item) => item.patch)).toEqual([disc(30), disc(40), disc(50), disc(90)]);
  });

  it("stay proposals when others hold all of their pixels, and it says so", () => {
    const undecided = "1 proposal stays undecided: other masks hold all of the pixels.";
    session = open([record("mine"), proposal("p", 30), proposal("q", 60)]);
    expect(keep("p").map((item) => item.status)).toEqual(["accepted", "proposed", "proposed"]);
    expect(notices.at(-1)).toBe(undecided);
    keep("p", "q");
    expect(notices.at(-1)).toBe(`Proposal kept. ${undecided}`);
  });
});

describe("versions and copies", () => {
  it("bring back an older one as a new version with its pixels and its name", async () => {
    const older = itemFromRecord(record("old", { category: "cat" }));
    session = open([record("now", { category: "kitten", segmentation: runs(60) })]);
    session.masks.restoreVersion("now", older);
    expect(names()).toEqual(["cat"]);
    await settle();
    expect(sent[0]?.body).toMatchObject({ parent: "now", category: "cat", segmentation: older.segmentation });
  });

  it("are masks of their own when duplicated, and an imported one is vouched for by whoever copies it", async () => {
    session = open([record("a", { source: "imported", category: "cat" })]);
    session.masks.duplicate("a");
    expect(names()).toEqual(["cat", "cat"]);
    await settle();
    expect(sent[0]?.body).toMatchObject({ parent: null, source: "hand" });
  });
});

describe("leaving and coming back", () => {
  it("keeps order, locks and the time that was not told to the server", async () => {
    session = open([record("a"), record("b")], {
      layout: { order: ["b", "a"], hidden: ["a"], locked: [], styles: [] },
      seconds: 12,
      at: 0,
    });
    expect(names()).toEqual(["b", "a"]);
    expect(session.hidden.has("a")).toBe(true);
    expect(session.clock.seconds()).toBe(12);
    expect(session.secondsOnMask).toBe(0);
    session.masks.setLocked(["b"], true);
    await settle();
    expect(await visits.get(7, 5)).toMatchObject({ seconds: 12, layout: { order: ["b", "a"], locked: ["b"] } });
  });

  it("brings the half-made mask back, with its clicks", async () => {
    session = open([]);
    await session.open();
    session.drafting.addPoint(imagePoint(50, 40), 1);
    await settle();
    const before = session.drafting.patch;
    session.close();
    session = open([]);
    await session.open();
    await settle();
    expect(session.store.draft.steps).toHaveLength(1);
    expect(session.drafting.patch).toEqual(before);
  });
});
