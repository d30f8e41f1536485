import { beforeEach, describe, expect, it } from "vitest";
import type { ChangesAnswer, MaskRecord } from "../api/types";
import { History } from "../core/history";
import { Journal, type JournalOp, type SendResult } from "../core/journal";
import { MaskStore } from "../core/maskStore";
import { MemoryJournal } from "../core/memoryJournal";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { encodePatch } from "../core/rle";
import { LiveChanges } from "./liveChanges";
import { MaskSync } from "./maskSync";
import { itemFromRecord } from "./records";
import { maskRecord } from "./testingRecords";

const size = { width: 40, height: 30 };
const square = encodePatch(paintStroke(EMPTY_PATCH, [{ x: 10, y: 10 }], 4, 1, size), [size.height, size.width]);
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));
const record = (id: string, part: Partial<MaskRecord> = {}) =>
  maskRecord(id, { segmentation: { size: [30, 40], counts: square.counts }, ...part });
const refusal: SendResult = {
  kind: "problem",
  problem: { kind: "refused", code: "no", message: "No.", current: null },
};

let disk: MemoryJournal;
let sent: string[];
/** What the server says to operations, in their order; then "done". */
let results: SendResult[];
/** What it says when asked for changes; then nothing new. */
let answers: (ChangesAnswer | Promise<ChangesAnswer>)[];
let asked: (string | null)[];
let retry: () => void;
let store: MaskStore;
let history: History;
let journal: Journal;
let sync: MaskSync;
let live: LiveChanges;

beforeEach(() => {
  disk = new MemoryJournal();
  [sent, results, answers, asked] = [[], [], [], []];
  retry = () => undefined;
  journal = newJournal();
  store = new MaskStore();
  history = new History(store);
  let ids = 0;
  const newId = () => `new-${++ids}`;
  sync = new MaskSync({ store, journal, imageId: 1, taskId: () => 9, newId, onError: () => undefined });
  live = new LiveChanges({
    ...{ imageId: 1, me: "ann", store, journal, sync },
    ask: async (_image, since) => {
      asked.push(since);
      return answers.shift() ?? changes();
    },
    onHolder: () => undefined,
    onConnection: () => undefined,
    notice: () => undefined,
    later: () => () => undefined,
  });
});

function newJournal(): Journal {
  return new Journal({
    store: disk,
    userId: 7,
    send: async (op: JournalOp) => {
      sent.push(op.body ? `${op.kind} ${op.maskId} < ${op.body.parent}` : `${op.kind} ${op.maskId}`);
      return results.shift() ?? { kind: "done" };
    },
    later: (work) => {
      retry = work;
      return () => undefined;
    },
  });
}

const changes = (...masks: MaskRecord[]): ChangesAnswer => ({ at: `t${asked.length}`, masks, task: null });
const seen = () => store.visible().map((item) => `${item.id} ${item.status}`);

/** The image as the editor began with it. */
function begin(...masks: MaskRecord[]): void {
  for (const one of masks) store.setMask(one.id, itemFromRecord(one), "remote");
  live.start({ at: "t0", task: null });
}

function correct(id: string, next: string): void {
  const item = store.mask(id);
  if (!item) throw new Error(`There is no ${id}.`);
  history.gesture("Correct", () => {
    store.setMask(id, { ...item, status: "superseded" });
    store.setMask(next, { ...item, id: next, parent: id, status: "accepted" });
  });
}

describe("undo of a correction", () => {
  it("works although the server told of the old mask while the correction was being stored", async () => {
    begin(record("a"));
    await settle();
    const { add } = disk;
    const writes: (() => void)[] = [];
    disk.add = async (op) => {
      await new Promise<void>((resolve) => writes.push(resolve));
      return add.call(disk, op);
    };
    correct("a", "b");
    answers = [changes(record("a"))];
    await live.look();
    expect(seen()).toEqual(["b accepted"]);
    history.undo();
    expect(seen()).toEqual(["a accepted"]);
    for (const write of writes) write();
    await settle();
    expect(sent).toEqual(["put b < a", "put new-1 < b"]);
  });

  it("works although another tab has sent the correction while the server was asked", async () => {
    begin(record("a"));
    await settle();
    results = [{ kind: "busy" }];
    correct("a", "b");
    await settle();
    let answer: (changes: ChangesAnswer) => void = () => undefined;
    answers = [new Promise((resolve) => (answer = resolve))];
    const looking = live.look();
    await newJournal().open();
    await settle();
    retry();
    await settle();
    answer(changes(record("a"))); // from before the correction arrived
    await looking;
    expect(seen()).toEqual(["b accepted"]);
    history.undo();
    await settle();
    expect(sent).toEqual(["put b < a", "put b < a", "put new-1 < b"]);
  });

  it("leaves both alone where the person has decided for another version", async () => {
    begin(record("a"));
    results = [refusal];
    correct("a", "b");
    await settle();
    answers = [changes(record("c", { parent: "a" }))];
    await journal.discard(journal.problemsOf(1)[0]?.seq ?? 0);
    await settle();
    expect(seen()).toEqual(["c accepted"]);
    expect(history.undo()).toEqual({ label: "Correct", changed: false });
    await settle();
    expect(seen()).toEqual(["c accepted"]);
    expect(sent).toEqual(["put b < a"]);
  });

  it("that was refused leaves the old mask on the screen when it is given up", async () => {
    begin(record("a"));
    results = [refusal];
    correct("a", "b");
    await settle();
    history.undo();
    await settle();
    answers = [changes(record("a"))];
    await journal.discard(journal.problemsOf(1)[0]?.seq ?? 0);
    await settle();
    answers = [changes(record("a"))];
    await live.look();
    expect(seen()).toEqual(["a accepted"]);
    correct("a", "again");
    await settle();
    expect(sent.at(-1)).toBe("put again < a");
  });

  it("of a proposal makes it a proposal again, there as here", async () => {
    begin(record("p", { status: "proposed", source: "model", created_by: null }));
    const bodies: unknown[] = [];
    const { add } = disk;
    disk.add = async (op) => {
      bodies.push(op.body?.proposed);
      return add.call(disk, op);
    };
    correct("p", "kept");
    history.undo();
    await settle();
    expect(sent).toEqual(["put kept < p", "put new-1 < kept"]);
    expect(bodies).toEqual([undefined, true]);
    expect(seen()).toEqual(["p proposed"]);
  });

  it("deletes it where the mask that it corrected was gone before", async () => {
    begin(record("a"));
    answers = [changes(record("a", { status: "superseded" }))];
    await settle();
    await live.look();
    const item = itemFromRecord(record("b", { parent: "a" }));
    history.gesture("Accept", () => store.setMask("b", item));
    history.undo();
    await settle();
    expect(sent).toEqual(["put b < a", "delete b"]);
  });
});

describe("what others do to a mask that is on its way from here", () => {
  it("is told again once it is there", async () => {
    begin();
    await settle();
    results = [{ kind: "offline" }]; // it arrived, the answer did not
    store.setMask("x", itemFromRecord(record("x")));
    await settle();
    answers = [changes(record("x", { status: "deleted" })), changes(record("x", { status: "deleted" }))];
    await live.look();
    expect(seen()).toEqual(["x accepted"]);
    retry();
    await settle();
    await live.look();
    expect(asked.at(-1)).toBe(asked.at(-2));
    expect(seen()).toEqual([]);
  });
});

describe("a merge that is refused", () => {
  it("leaves the other masks where they are", async () => {
    begin(record("big"), record("small"));
    results = [refusal];
    history.gesture("Merge", () => {
      correct("big", "all");
      const small = store.mask("small");
      sync.needing("all", () => store.setMask("small", small && { ...small, status: "deleted" }));
    });
    await settle();
    expect(sent).toEqual(["put all < big"]);
    answers = [changes(record("big"), record("small"))];
    await journal.discard(journal.problemsOf(1)[0]?.seq ?? 0);
    await settle();
    expect(sent).toEqual(["put all < big"]);
    expect(seen()).toEqual(["big accepted", "small accepted"]);
  });
});
