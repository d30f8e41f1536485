import { beforeEach, describe, expect, it } from "vitest";
import { Journal, type JournalOp, type SendResult } from "./journal";
import { MemoryJournal } from "./memoryJournal";

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const put = (maskId: string, imageId = 1) => ({ imageId, maskId, kind: "put" as const, body: { n: maskId } });
const conflict: SendResult = {
  kind: "problem",
  problem: { kind: "conflict", code: "mask_superseded", message: "Somebody corrected it.", current: "other" },
};

let store: MemoryJournal;
let sent: string[];
let answers: SendResult[];
let timers: { work: () => void; after: number }[];

beforeEach(() => {
  store = new MemoryJournal();
  sent = [];
  answers = [];
  timers = [];
});

function journal(userId = 7, durable = true): Journal {
  return new Journal({
    store,
    durable,
    userId,
    send: async (op: JournalOp) => {
      sent.push(`${op.kind} ${op.maskId}`);
      return answers.shift() ?? { kind: "done" };
    },
    later: (work, after) => {
      const timer = { work, after };
      timers.push(timer);
      return () => {
        if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
      };
    },
  });
}

async function tick(): Promise<void> {
  timers.shift()?.work();
  await settle();
}

describe("journal", () => {
  it("is on disk before it is sent, and gone when the server has it", async () => {
    const one = journal();
    await one.add(put("a"));
    expect(await store.all()).toHaveLength(1);
    await settle();
    expect(sent).toEqual(["put a"]);
    expect(await store.all()).toEqual([]);
    expect(one.status()).toMatchObject({ waiting: 0, offline: false, sending: false });
  });

  it("counts as on its way from the moment it is made, before it is on disk", async () => {
    const one = journal();
    const storing = one.add(put("a", 5));
    void one.add(put("b", 5));
    expect(one.pendingOf(5).map((op) => op.maskId)).toEqual(["a", "b"]);
    expect(one.pendingOf(6)).toEqual([]);
    await storing;
    await settle();
    expect(one.pendingOf(5)).toEqual([]);
  });

  it("retries with growing pauses while the server is away, then says all saved", async () => {
    answers = [{ kind: "offline" }, { kind: "offline" }, { kind: "offline" }];
    const one = journal();
    await one.add(put("a"));
    await settle();
    expect(one.status()).toMatchObject({ waiting: 1, offline: true });
    const pauses = [timers[0]?.after];
    await tick();
    pauses.push(timers[0]?.after);
    await tick();
    pauses.push(timers[0]?.after);
    expect(pauses).toEqual([500, 1000, 2000]);
    await tick();
    expect(one.status()).toMatchObject({ waiting: 0, offline: false });
  });

  it("takes up after a reload what an earlier page left behind", async () => {
    answers = [{ kind: "offline" }];
    await journal().add(put("a"));
    await settle();
    const next = journal();
    await next.open();
    await settle();
    expect(sent).toEqual(["put a", "put a"]);
    expect(next.status().waiting).toBe(0);
  });

  it("keeps the order of one mask and lets others pass a busy one", async () => {
    answers = [{ kind: "busy" }];
    const one = journal();
    await Promise.all([one.add(put("a")), one.add({ ...put("a"), kind: "delete", body: null }), one.add(put("b"))]);
    await settle();
    await settle();
    expect(sent).not.toContain("delete a");
    expect(sent).toContain("put b");
    await tick();
    expect(sent.slice(-2)).toEqual(["put a", "delete a"]);
  });

  it("sets a conflict aside for the person and sends the rest", async () => {
    answers = [conflict];
    const one = journal();
    await one.add(put("a"));
    await one.add(put("b"));
    await settle();
    const [problem] = one.status().problems;
    expect(problem?.problem?.current).toBe("other");
    expect(one.status().waiting).toBe(0);
    expect(sent).toEqual(["put a", "put b"]);
    await one.discard(problem?.seq ?? -1);
    expect(await store.all()).toEqual([]);
  });

  it("goes on after signing in, at once when it hears of it and later by itself", async () => {
    answers = [{ kind: "signed_out" }];
    const one = journal();
    await one.add(put("a"));
    await settle();
    expect(one.status()).toMatchObject({ signedOut: true, waiting: 1 });
    one.wake();
    await settle();
    expect(one.status()).toMatchObject({ signedOut: false, waiting: 0 });
    answers = [{ kind: "signed_out" }, { kind: "signed_out" }];
    await one.add(put("b"));
    await settle();
    await tick();
    expect(one.status()).toMatchObject({ signedOut: true, waiting: 1 });
    await tick();
    expect(one.status()).toMatchObject({ signedOut: false, waiting: 0 });
  });

  it("leaves other people's work on this computer alone", async () => {
    answers = [{ kind: "offline" }];
    await journal(7).add(put("a"));
    await settle();
    const other = journal(8);
    await other.open();
    await settle();
    expect(other.status().waiting).toBe(0);
    expect(sent).toHaveLength(1);
  });

  it("tells when an image has nothing left to send", async () => {
    answers = [{ kind: "offline" }];
    const one = journal();
    await one.add(put("a", 5));
    await settle();
    let settled = false;
    void one.settled(5).then(() => {
      settled = true;
    });
    await settle();
    expect(settled).toBe(false);
    await tick();
    expect(settled).toBe(true);
  });

  it("holds back what was built on a refused mask until the decision, and then sends it in order", async () => {
    answers = [conflict];
    const one = journal();
    await one.add(put("mine"));
    await settle();
    await one.add({ ...put("renamed"), body: { parent: "mine" } });
    await one.add(put("another"));
    await settle();
    expect(sent).toEqual(["put mine", "put another"]);
    await one.settled(1); // nothing is on its way: submitting must not wait for ever
    expect(one.problemsOf(1)).toHaveLength(1);
    await one.resend(one.problemsOf(1)[0]?.seq ?? 0, { body: { parent: "theirs" } });
    await settle();
    expect(sent.slice(2)).toEqual(["put mine", "put renamed"]);
    expect(one.status()).toMatchObject({ waiting: 0, problems: [] });
  });

  it("gives up with a refused mask what was built on it", async () => {
    answers = [conflict];
    const one = journal();
    await one.add(put("mine"));
    await settle();
    await one.add({ ...put("renamed"), body: { parent: "mine" } });
    await one.add(put("another", 2));
    const dropped: string[] = [];
    one.decided.on((decision) => dropped.push(...decision.dropped));
    await one.discard(one.problemsOf(1)[0]?.seq ?? 0);
    expect(dropped).toEqual(["mine", "renamed"]);
    await settle();
    expect(sent).toEqual(["put mine", "put another"]);
    expect(await store.all()).toEqual([]);
  });

  it("holds back and gives up with a refused mask what needs it, as the other half of a merge", async () => {
    answers = [conflict];
    const one = journal();
    await one.add(put("union"));
    await one.add({ imageId: 1, maskId: "small", kind: "delete", body: null, needs: "union" });
    await settle();
    expect(sent).toEqual(["put union"]);
    const dropped: string[] = [];
    one.decided.on((decision) => dropped.push(...decision.dropped));
    await one.discard(one.problemsOf(1)[0]?.seq ?? 0);
    await settle();
    expect(sent).toEqual(["put union"]);
    expect(dropped).toEqual(["union", "small"]);
  });

  it("never sends again what another tab has sent, and says that it is saved", async () => {
    answers = [{ kind: "signed_out" }];
    const one = journal();
    const saved: string[] = [];
    const asked: number[] = [];
    one.confirmed.on((op) => saved.push(op.maskId));
    one.decided.on((decision) => asked.push(decision.imageId));
    await one.add({ ...put("m", 4), kind: "delete" });
    await settle();
    const other = journal();
    await other.open();
    await settle();
    await other.add({ ...put("m", 4), kind: "restore" });
    await settle();
    expect(await store.all()).toEqual([]);
    one.wake();
    await settle();
    expect(sent).toEqual(["delete m", "delete m", "restore m"]);
    expect(one.status()).toMatchObject({ waiting: 0 });
    expect([saved, asked]).toEqual([["m"], [4]]);
  });

  it("tells how long saving took", async () => {
    let now = 100;
    const one = new Journal({
      store,
      userId: 7,
      now: () => now,
      later: () => () => undefined,
      send: async () => {
        now = 350;
        return { kind: "done" };
      },
    });
    const took: number[] = [];
    one.saved.on((milliseconds) => took.push(milliseconds));
    await one.add(put("a"));
    await settle();
    expect(took).toEqual([250]);
  });

  it("tries a store that cannot be read again, later", async () => {
    const one = journal();
    store.all = async () => {
      throw new Error("disk");
    };
    await one.add(put("a"));
    await settle();
    expect(sent).toEqual([]);
    expect(timers).toHaveLength(1);
  });
});

describe("what the browser cannot store", () => {
  const full = async () => {
    throw new DOMException("The disk is full.", "QuotaExceededError");
  };

  it("waits in memory as if it were stored, is said to be only there, and is sent", async () => {
    answers = [{ kind: "offline" }];
    store.add = full;
    const one = journal();
    expect(await one.add(put("a", 5))).toBe(false);
    await settle();
    expect(one.status()).toMatchObject({ waiting: 1, onlyHere: 1, offline: true });
    expect(one.pendingOf(5).map((op) => op.maskId)).toEqual(["a"]);
    let settled = false;
    void one.settled(5).then(() => {
      settled = true;
    });
    await settle();
    expect(settled).toBe(false);
    await tick();
    expect(sent).toEqual(["put a", "put a"]);
    expect(settled).toBe(true);
    expect(one.status()).toMatchObject({ waiting: 0, onlyHere: 0 });
  });

  it("keeps its place between what was stored before and after it", async () => {
    answers = Array(4).fill({ kind: "offline" });
    const one = journal();
    const { add } = store;
    expect(await one.add(put("a"))).toBe(true);
    store.add = full;
    await one.add({ ...put("b"), body: { parent: "a" } });
    await one.add({ ...put("c"), body: { parent: "b" } });
    store.add = add;
    await one.add({ ...put("d"), body: { parent: "c" } });
    await settle();
    expect(one.status()).toMatchObject({ waiting: 4, onlyHere: 2 });
    answers = [];
    sent = [];
    await tick();
    expect(sent).toEqual(["put a", "put b", "put c", "put d"]);
    expect(await store.all()).toEqual([]);
  });

  it("is kept for the decision when the server refuses it, and sent again or given up", async () => {
    answers = [conflict, { kind: "done" }, conflict];
    store.add = full;
    const one = journal();
    await one.add(put("a"));
    await settle();
    expect(one.status()).toMatchObject({ waiting: 0, onlyHere: 1 });
    await one.resend(one.problemsOf(1)[0]?.seq ?? 0, { body: { parent: "theirs" } });
    await settle();
    await one.add(put("b"));
    await settle();
    await one.discard(one.problemsOf(1)[0]?.seq ?? 0);
    expect(one.status()).toMatchObject({ waiting: 0, onlyHere: 0, problems: [] });
    expect(sent).toEqual(["put a", "put a", "put b"]);
    expect(await store.all()).toEqual([]);
  });

  it("is sent while the store cannot be read, but not ahead of what it builds on", async () => {
    answers = [{ kind: "offline" }];
    const one = journal();
    const { all } = store;
    await one.add(put("a"));
    await settle();
    store.add = full;
    store.all = full;
    await one.add({ ...put("b"), body: { parent: "a" } });
    await one.add({ ...put("c"), body: { parent: "b" } });
    await one.add(put("d"));
    await tick();
    expect(sent.slice(1)).toEqual(["put d"]);
    store.all = all;
    await tick();
    expect(sent.slice(2)).toEqual(["put a", "put b", "put c"]);
    expect(one.status()).toMatchObject({ waiting: 0, onlyHere: 0 });
  });

  it("does not wait for a store that cannot forget what is saved", async () => {
    const one = journal();
    await one.add(put("a"));
    store.remove = full;
    store.add = full;
    await one.add(put("b"));
    await settle();
    expect(sent).toEqual(["put a", "put b"]);
    expect(one.status()).toMatchObject({ waiting: 1, onlyHere: 0 });
  });
});

it("says that all is only in this page where the browser gives no storage", async () => {
  answers = [{ kind: "offline" }];
  const one = journal(7, false);
  expect(await one.add(put("a"))).toBe(true);
  await settle();
  expect(one.status()).toMatchObject({ waiting: 1, onlyHere: 1 });
});
