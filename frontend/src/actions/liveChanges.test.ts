import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import type { ChangesAnswer, MaskRecord } from "../api/types";
import { Emitter } from "../core/emitter";
import type { JournalOp } from "../core/journal";
import { MaskStore } from "../core/maskStore";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { encodePatch } from "../core/rle";
import { LiveChanges } from "./liveChanges";
import { maskRecord } from "./testingRecords";

const size = { width: 40, height: 30 };
const pixels = (x: number) =>
  encodePatch(paintStroke(EMPTY_PATCH, [{ x, y: 10 }], 4, 1, size), [size.height, size.width]);
const record = (id: string, part: Partial<MaskRecord> = {}): MaskRecord =>
  maskRecord(id, { segmentation: { size: [30, 40], counts: pixels(10).counts }, ...part });

let store: MaskStore;
let pending: Partial<JournalOp>[];
let answer: () => Promise<ChangesAnswer>;
let asked: (string | null)[];
let notices: string[];
let woken: number;
let offline: boolean;
let live: LiveChanges;
const confirmed = new Emitter<JournalOp>();
const decided = new Emitter<{ imageId: number; dropped: readonly string[] }>();
const aliases = new Map<string, string>();

const tell = (...masks: MaskRecord[]) => {
  answer = async () => ({ at: "later", masks, task: null });
};

beforeEach(() => {
  store = new MaskStore();
  pending = [];
  asked = [];
  notices = [];
  woken = 0;
  offline = false;
  aliases.clear();
  tell();
  live = new LiveChanges({
    imageId: 1,
    me: "ben",
    store,
    journal: {
      pendingOf: () => pending as JournalOp[],
      problemsOf: () => [],
      status: () => ({ waiting: 0, sending: false, offline, signedOut: false, onlyHere: 0, problems: [] }),
      wake: () => {
        woken += 1;
      },
      confirmed,
      decided,
    },
    sync: {
      forget: () => undefined,
      serverId: (id) => aliases.get(id) ?? id,
      localId: (id) => [...aliases].find(([, name]) => name === id)?.[0] ?? (aliases.has(id) ? null : id),
    },
    ask: async (_image, since) => {
      asked.push(since);
      return answer();
    },
    onHolder: () => undefined,
    onConnection: () => undefined,
    notice: (message) => notices.push(message),
    later: () => () => undefined,
  });
});

afterEach(() => live.close());

const ids = () => store.visible().map((item) => item.id);

describe("what others do", () => {
  it("appears, is corrected and goes, each told once", async () => {
    tell(record("a"));
    await live.look();
    expect(ids()).toEqual(["a"]);
    tell(record("a"), record("b", { created_by: "ben" }));
    await live.look();
    expect(notices).toEqual(["rae changed a mask here."]);
    tell(record("a", { status: "superseded" }), record("c", { parent: "a", category: "cat" }));
    await live.look();
    expect(ids()).toEqual(["b", "c"]);
    tell(record("c", { status: "deleted", parent: "a" }));
    await live.look();
    expect(ids()).toEqual(["b"]);
  });

  it("is asked for from the last answer on, and from the start after a decision", async () => {
    await live.look();
    await live.look();
    expect(asked).toEqual([null, "later"]);
    decided.emit({ imageId: 1, dropped: [] });
    expect(asked).toEqual([null, "later", null]);
  });

  it("never takes the place of what is on its way from here", async () => {
    tell(record("a"));
    await live.look();
    const mine = store.mask("a");
    if (mine) store.setMask("a", { ...mine, status: "deleted" });
    pending = [{ maskId: "a", body: null }];
    tell(record("a"), record("mine", { status: "deleted" }));
    pending.push({ maskId: "mine", body: { parent: "a" } });
    await live.look();
    expect(ids()).toEqual([]);
    expect(store.mask("mine")).toBeNull();
  });

  it("is asked again if our own change arrived meanwhile: the answer is older than what is here", async () => {
    answer = async () => {
      confirmed.emit({} as JournalOp);
      return { at: "stale", masks: [record("a")], task: null };
    };
    await live.look();
    expect(ids()).toEqual([]);
    tell(record("b"));
    await live.look();
    expect(asked).toEqual([null, null]);
    expect(ids()).toEqual(["b"]);
  });

  it("is known here under the id that a mask has here", async () => {
    tell(record("a"));
    await live.look();
    aliases.set("a", "a-again"); // undo of a correction: the same mask, under another id on the server
    tell(record("a", { status: "superseded" }), record("a-again"));
    await live.look();
    expect(ids()).toEqual(["a"]);
  });

  it("drops what a decision gave up, and what the server does not know", async () => {
    tell(record("a"), record("lost"));
    await live.look();
    tell(record("a"));
    decided.emit({ imageId: 1, dropped: ["lost"] });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(ids()).toEqual(["a"]);
  });
});

describe("the connection", () => {
  it("is lost when nobody answers, and its return wakes the journal", async () => {
    answer = async () => {
      throw new ApiError(0, "offline", "gone");
    };
    await live.look();
    expect(live.connected).toBe(false);
    offline = true;
    tell();
    await live.look();
    expect([live.connected, woken]).toEqual([true, 1]);
  });

  it("is not asked while nobody looks", async () => {
    live.setHidden(true);
    await live.look();
    expect(asked).toEqual([]);
    live.setHidden(false);
    expect(asked).toEqual([null]);
  });
});
