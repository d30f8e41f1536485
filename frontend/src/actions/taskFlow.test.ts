import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Holder, Task } from "../api/types";
import { TaskFlow } from "./taskFlow";

const task = (part: Partial<Task> = {}): Task =>
  ({
    id: 3,
    kind: "annotate",
    state: "claimed",
    assignee: "ben",
    lease: "lease-1",
    submitted_at: null,
    ...part,
  }) as Task;
const holder = (assignee: string | null, state: Holder["state"] = "claimed"): Holder =>
  ({
    id: 3,
    kind: "annotate",
    state,
    assignee,
    lease_expires_at: null,
    submitted_at: state === "submitted" ? "2026-03-02T10:00:00Z" : null,
  }) as Holder;

let answers: { status: number; body: unknown }[];
let requests: { path: string; body: Record<string, unknown> }[];
let told: number[];
let flow: TaskFlow;

beforeEach(() => {
  answers = [];
  requests = [];
  told = [];
  vi.stubGlobal("document", { cookie: "" });
  vi.stubGlobal("fetch", async (path: string, options: { body?: string }) => {
    requests.push({ path, body: JSON.parse(options.body ?? "{}") });
    const answer = answers.shift();
    if (!answer) throw new TypeError("nobody there");
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  });
  flow = new TaskFlow({
    imageId: 5,
    me: "ben",
    changed: () => undefined,
    taken: () => undefined,
    seconds: () => 12.34,
    told: (seconds) => told.push(seconds),
  });
});

afterEach(() => {
  flow.close(false);
  vi.unstubAllGlobals();
});

const kind = () => flow.hold.kind;

describe("who has the image", () => {
  it("reads while another one works on it, and may take it up when it is free", async () => {
    answers = [{ status: 409, body: { code: "task_taken", message: "rae is working on this image.", details: {} } }];
    await flow.open(null);
    expect(flow.hold).toEqual({ kind: "reading", message: "rae is working on this image." });
    flow.observe(holder("rae"));
    expect(kind()).toBe("reading");
    flow.observe(holder(null));
    expect(kind()).toBe("free");
    flow.observe(holder("vic"));
    expect(flow.hold).toEqual({ kind: "reading", message: "vic is working on this image." });
    flow.observe(holder(null, "submitted"));
    answers = [{ status: 200, body: task() }];
    await flow.claim();
    expect(kind()).toBe("held");
  });

  it("is heard of at once when it is lost, and taken up again when the lease has only ended", async () => {
    await flow.open(task());
    flow.observe(holder("ben"));
    expect(kind()).toBe("held");
    answers = [{ status: 200, body: task({ lease: "lease-2" }) }];
    flow.observe(holder(null));
    await vi.waitFor(() => expect(flow.task?.lease).toBe("lease-2"));
    flow.observe(holder(null, "submitted"));
    expect(flow.hold).toEqual({ kind: "free", message: "This image was submitted in another window." });
    await flow.open(task());
    flow.observe(holder("rae"));
    expect(kind()).toBe("reading");
  });

  it("takes up again what only the page before it gave back, also when it had been submitted before", async () => {
    const submitted_at = "2026-03-01T10:00:00Z";
    await flow.open(task({ submitted_at }));
    answers = [{ status: 200, body: task({ lease: "lease-2", submitted_at }) }];
    flow.observe({ ...holder(null, "submitted"), submitted_at });
    await vi.waitFor(() => expect(flow.task?.lease).toBe("lease-2"));
    expect(kind()).toBe("held");
  });

  it("works again when the image turns out to be held by the same person", async () => {
    answers = [{ status: 409, body: { code: "task_taken", message: "rae is working on this image.", details: {} } }];
    await flow.open(null);
    answers = [{ status: 200, body: task() }];
    flow.observe(holder("ben"));
    await vi.waitFor(() => expect(kind()).toBe("held"));
  });

  it("keeps to the work that was handed out: who labels the image says nothing of an audit", async () => {
    await flow.open(task({ kind: "audit" }));
    flow.observe({ ...holder("ben"), kind: "audit" });
    expect(requests).toEqual([]);
    answers = [{ status: 200, body: task({ kind: "audit", lease: "lease-2" }) }];
    flow.observe(holder(null, "submitted"));
    await vi.waitFor(() => expect(flow.task?.lease).toBe("lease-2"));
    expect(requests).toEqual([{ path: "/api/images/5/task/", body: { kind: "audit" } }]);
  });

  it("stays with those who may only look", () => {
    flow.readOnly("You may look.");
    flow.observe(holder(null));
    expect(flow.hold).toEqual({ kind: "reading", message: "You may look." });
  });
});

describe("leaving", () => {
  it("tells the active time once, with a lease that is taken up again if it has ended", async () => {
    await flow.open(task());
    answers = [
      { status: 409, body: { code: "lease_lost", message: "ended", details: {} } },
      { status: 200, body: task({ lease: "lease-2" }) },
      { status: 200, body: { ...task({ state: "submitted" }), next: null } },
    ];
    await flow.submit("done", null);
    expect(requests.map((one) => [one.path, one.body.lease, one.body.seconds])).toEqual([
      ["/api/tasks/3/submit/", "lease-1", 12.3],
      ["/api/images/5/task/", undefined, undefined],
      ["/api/tasks/3/submit/", "lease-2", 12.3],
    ]);
    expect(told).toEqual([12.3]);
  });

  it("says that the server is away, so that it is tried again, and tells nothing meanwhile", async () => {
    await flow.open(task());
    await expect(flow.skip("blurred", "annotate")).rejects.toMatchObject({ code: "offline" });
    expect(told).toEqual([]);
  });

  it("is not surprised by its own submit whose answer was lost: the same lease is sent again", async () => {
    await flow.open(task());
    await expect(flow.submit("done", null)).rejects.toMatchObject({ code: "offline" });
    flow.observe(holder(null, "submitted"));
    expect(kind()).toBe("held");
    answers = [{ status: 200, body: { ...task({ state: "submitted" }), next: null } }];
    await flow.submit("done", null);
    expect(requests.map((one) => [one.path, one.body.lease])).toEqual([
      ["/api/tasks/3/submit/", "lease-1"],
      ["/api/tasks/3/submit/", "lease-1"],
    ]);
    expect(told).toEqual([12.3]);
  });

  it("gives back what it was given only after it had been left", async () => {
    answers = [{ status: 200, body: task({ lease: "late" }) }];
    const opening = flow.open(null);
    flow.close(true);
    await opening;
    expect(requests.map((one) => [one.path, one.body.lease])).toEqual([
      ["/api/images/5/task/", undefined],
      ["/api/tasks/3/release/", "late"],
    ]);
    expect(flow.task).toBe(null);
  });

  it("keeps the next image that came with the answer", async () => {
    await flow.open(task());
    const next = task({ id: 4, lease: "lease-of-4" });
    answers = [{ status: 200, body: { ...task({ state: "skipped" }), next } }];
    await flow.skip("blurred", "annotate");
    expect(requests.map((one) => [one.path, one.body.next_kind])).toEqual([["/api/tasks/3/skip/", "annotate"]]);
    expect(flow.following).toEqual(next);
    expect(flow.finishedTask).toBe(null);
  });

  it("gives back what was only looked at, once", async () => {
    await flow.open(task());
    answers = [{ status: 200, body: task({ state: "open" }) }];
    flow.close(true);
    flow.close(true);
    expect(requests.map((one) => one.path)).toEqual(["/api/tasks/3/release/"]);
    expect(told).toEqual([12.3]);
  });
});
