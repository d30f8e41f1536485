import { beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import type { Frames, Job, MaskRecord, Task, TrackRecord } from "../api/types";
import { encodePatch } from "../core/rle";
import { maskItem } from "../core/testing";
import { drawn } from "../core/testingPatches";
import type { Track } from "../core/timeline";
import { fitImage } from "../core/viewport";
import type { EditorSession } from "./editorSession";
import { maskRecord } from "./testingRecords";
import { openSession } from "./testingSession";
import { VideoDesk, type VideoServer } from "./videoDesk";

const size = { width: 40, height: 30 };
/** The image that `openSession` opens. */
const HERE = 5;
const FRAMES = 6;

const PIXELS = { ...encodePatch(drawn(["##", "##"]), [30, 40]), size: [30, 40] as [number, number] };

type Mask = TrackRecord["masks"][number];

const mask = (id: string, frame: number, part: Partial<Mask> = {}): Mask => ({
  id,
  image: HERE + frame,
  frame,
  status: "accepted",
  source: "model",
  confidence: null,
  ...part,
});

/** A server with one video of six frames; its jobs end when a test says so. */
class FakeServer implements VideoServer {
  stored: TrackRecord[] = [];
  asked: [string, ...unknown[]][] = [];
  running: Pick<Job, "id" | "state" | "progress" | "message" | "error" | "result"> | null = null;
  refusal: ApiError | null = null;

  arrived = FRAMES;

  frames = async (_video: number, from: number): Promise<Frames> => ({
    frames: Array.from({ length: this.arrived }, (_, number) => ({
      image: HERE + number,
      number,
      time: number / 5,
      state: number === 1 ? ("submitted" as const) : ("open" as const),
      masks: 0,
      uncertainty: null,
      thumbnail_url: "",
    })).slice(from),
    next: null,
    complete: this.arrived === FRAMES,
  });
  holders = new Map<number, string>();
  holder = async (image: number) => this.holders.get(image) ?? null;
  tracks = async () => ({ tracks: structuredClone(this.stored) });
  track = async (id: string) => structuredClone(this.stored.find((one) => one.id === id)) as TrackRecord;
  beginTrack = async (_video: number, id: string) => {
    this.take("begin", id);
    return this.add("cat", [mask(id, 0)]);
  };
  renameTrack = async (id: string, category: string) => {
    this.take("rename", id, category);
    const track = this.stored.find((one) => one.id === id) as TrackRecord;
    track.category = category;
    return track;
  };
  endTrack = async (id: string, proposed: boolean) => {
    this.take("end", id, proposed);
    this.stored = this.stored.filter((one) => one.id !== id);
  };
  putToTrack = async (id: string, maskId: string) => {
    this.take("put", id, maskId);
    return {} as MaskRecord;
  };
  mask = async (id: string) => {
    const found = this.stored.flatMap((track) => track.masks).find((one) => one.id === id) as Mask;
    return maskRecord(id, { image: found.image, status: found.status, segmentation: PIXELS, track: "cat" });
  };
  takeFromTrack = async (id: string, maskId: string) => this.take("out", id, maskId);
  propagate = async (track: string, body: object) => {
    this.take("propagate", track, body);
    this.running = { id: "job", state: "running", progress: 0, message: "", error: null, result: null };
    return this.running as Job;
  };
  job = async () => ({ ...(this.running as NonNullable<FakeServer["running"]>) });
  cancelJob = async () => {
    this.take("cancel");
    if (this.running) this.running.state = "cancelled";
  };

  add(id: string, masks: Mask[]): TrackRecord {
    const track = { id, category: "", created_at: "2026-01-01T00:00:00Z", masks };
    this.stored.push(track);
    return track;
  }

  private take(what: string, ...rest: unknown[]): void {
    if (this.refusal) throw this.refusal;
    this.asked.push([what, ...rest]);
  }
}

let server: FakeServer;
let desk: VideoDesk;
let session: EditorSession;
let notices: string[];
let opened: number[];
let stale: number;
let waiting: (() => void)[];
let leave: () => void;
let remembered: Record<string, string>;

beforeEach(async () => {
  [server, notices, opened, waiting, remembered, stale] = [new FakeServer(), [], [], [], {}, 0];
  desk = new VideoDesk({
    video: 1,
    server,
    memory: { get: () => remembered, set: (jobs) => Object.assign(remembered, jobs) },
    open: (image) => opened.push(image),
    ready: async () => undefined,
    stale: () => {
      stale += 1;
    },
    now: () => 0,
    later: (work) => {
      waiting.push(work);
      return () => undefined;
    },
  });
  desk.notices.on((message) => notices.push(message));
  session = openSession(size, { video: desk });
  await desk.load();
  leave = desk.attach(session);
});

/** One round of every poll. */
async function poll(): Promise<void> {
  for (const work of waiting.splice(0)) work();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function draw(id: string): void {
  session.store.setMask(id, maskItem(id));
  session.select(id);
}

it("grows with a video that is still being taken in", async () => {
  const shown = () => desk.timeline.frames.map((frame) => frame.number);
  server.arrived = 2;
  await desk.load();
  expect(shown()).toEqual([0, 1]);
  await poll();
  server.arrived = 4;
  await poll();
  expect(shown()).toEqual([0, 1, 2, 3]);
  server.arrived = FRAMES;
  await poll();
  expect(shown()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(waiting).toEqual([]);
});

describe("following", () => {
  it("makes a track of the selected mask, shows how it goes, and masks as they are made", async () => {
    draw("first");
    const following = desk.tracks.follow(session);
    await poll();
    expect(server.asked).toEqual([
      ["begin", "first"],
      ["propagate", "cat", { image: HERE, direction: "forward", frames: null }],
    ]);
    expect([desk.current, session.selected?.track]).toEqual(["cat", "cat"]);
    server.stored[0]?.masks.push(mask("m1", 1, { status: "proposed", confidence: 0.8 }));
    Object.assign(server.running ?? {}, { progress: 0.5 });
    await poll();
    expect(desk.following.pursuits.get("cat")).toMatchObject({ progress: 0.5, job: "job" });
    expect(desk.timeline.mask(desk.timeline.tracks[0] as never, 1)).toMatchObject({ id: "m1", confidence: 0.8 });
    Object.assign(server.running ?? {}, {
      state: "succeeded",
      result: { frames: 5, masks: 3, absent: [4], held: [5] },
    });
    await poll();
    await following;
    expect(desk.following.pursuits.size).toBe(0);
    expect(notices.at(-1)).toBe("Found on 3 frames, not seen on 1, left to who works on 1.");
  });

  it("goes on from a mask that is in a track already, which way and how far was said", async () => {
    server.add("cat", [mask("first", 0)]);
    session.store.setMask("first", maskItem("first", { track: "cat" }));
    session.select("first");
    desk.setCourse("both", 2);
    void desk.tracks.follow(session);
    await poll();
    expect(server.asked).toEqual([["propagate", "cat", { image: HERE, direction: "both", frames: 2 }]]);
    session.select(null);
    await desk.tracks.follow(session);
    expect(notices).toEqual(["This object is being followed already."]);
  });

  it("is found again after a reload", async () => {
    server.running = { id: "job", state: "running", progress: 0.2, message: "", error: null, result: null };
    server.add("cat", [mask("first", 0)]);
    remembered.cat = "job";
    await desk.load();
    await poll();
    expect(desk.following.pursuits.get("cat")).toMatchObject({ progress: 0.2, job: "job" });
    await desk.following.stop("cat");
    await poll();
    expect(desk.following.pursuits.size).toBe(0);
  });

  it("is stopped, and keeps what was found", async () => {
    draw("first");
    const following = desk.tracks.follow(session);
    await poll();
    await poll();
    await desk.following.stop("cat");
    await poll();
    await following;
    expect(server.asked.at(-1)).toEqual(["cancel"]);
    expect(notices.at(-1)).toContain("was stopped");
    expect(desk.timeline.tracks).toHaveLength(1);
  });

  it("says why it cannot begin, and why it failed", async () => {
    await desk.tracks.follow(session);
    expect(notices.at(-1)).toContain("Select a mask first");
    draw("first");
    server.refusal = new ApiError(409, "frame_held", "Rae is working on this frame.");
    await desk.tracks.follow(session);
    expect(notices.at(-1)).toBe("Rae is working on this frame.");
    server.refusal = null;
    const following = desk.tracks.follow(session);
    await poll();
    const error = { code: "model_failed", message: "The model ran out of memory.", details: {} };
    Object.assign(server.running ?? {}, { state: "failed", error });
    await poll();
    await following;
    expect(desk.following.problem).toContain("The model ran out of memory.");
  });
});

describe("tracks", () => {
  beforeEach(async () => {
    server.add("cat", [mask("first", 0), mask("third", 2, { status: "proposed", confidence: 0.3 })]);
    await desk.refresh();
  });

  it("take a mask and give it up; the answer of the server is told", async () => {
    draw("mine");
    desk.current = "cat";
    await desk.tracks.put(session);
    expect(session.selected?.track).toBe("cat");
    await desk.tracks.takeOut(session);
    expect(session.selected?.track).toBeNull();
    expect(server.asked).toEqual([
      ["put", "cat", "mine"],
      ["out", "cat", "mine"],
    ]);
    await desk.tracks.takeOut(session);
    expect(notices.at(-1)).toBe("This mask is in no track.");
    server.refusal = new ApiError(409, "frame_taken", "The track has another mask on this frame.");
    await desk.tracks.put(session);
    expect(notices.at(-1)).toBe("The track has another mask on this frame.");
    expect(session.selected?.track).toBeNull();
  });

  it("are named and ended", async () => {
    await desk.tracks.rename("cat", "Tom");
    expect(desk.tracks.nameOf("cat")).toBe("Tom");
    desk.choose("cat");
    await desk.tracks.end("cat", true);
    expect([desk.current, desk.timeline.tracks]).toEqual([null, []]);
  });

  it("give their new name at once to a correction that is open", async () => {
    const patch = drawn(["##", "##"]);
    session.store.setMask("first", maskItem("first", { patch, track: "cat", category: "tom" }), "remote");
    session.drafting.stroke([{ x: 10, y: 10 }], 3, 1, session.store.mask("first"));
    await desk.tracks.rename("cat", "Tom");
    const corrected = session.store.mask(session.drafting.accept(1) ?? "");
    expect(corrected).toMatchObject({ parent: "first", track: "cat", category: "Tom" });
  });

  it("keep one look on every frame, which no other mask of the frame has", () => {
    for (const id of ["a", "b", "c"]) session.store.setMask(id, maskItem(id));
    session.store.setMask("followed", maskItem("followed", { track: "cat" }), "remote");
    expect(session.layout.styleOf("followed")).toBe(0);
    expect(["a", "b", "c"].map((id) => session.layout.styleOf(id))).not.toContain(0);
  });

  it("are accepted up to a frame: every mask goes by the journal, and is a version of the proposal", async () => {
    const { journal } = session.options;
    const sent: unknown[] = [];
    journal.confirmed.on((op) => sent.push([op.imageId, op.body?.parent]));
    session.store.setMask("first", maskItem("first", { track: "cat" }), "remote");
    server.stored[0]?.masks.push(mask("second", 1, { status: "proposed" }));
    await desk.refresh();
    desk.playhead.arrive(2);
    await desk.tracks.acceptUpTo(session, desk.timeline.tracks[0] as Track);
    expect(sent).toEqual([
      [HERE + 1, "second"],
      [HERE + 2, "third"],
    ]);
    expect(notices.at(-1)).toBe("2 masks accepted.");
  });

  it("are not counted as accepted where others hold all of their pixels and masks may not overlap", async () => {
    const patch = drawn(["##", "##"]);
    session.preferences.set({ exclusive: true });
    session.store.setMask("mine", maskItem("mine", { patch }), "remote");
    session.store.setMask("first", maskItem("first", { patch, track: "cat", status: "proposed" }), "remote");
    desk.playhead.arrive(0);
    await desk.tracks.acceptUpTo(session, desk.timeline.tracks[0] as Track);
    expect(session.store.mask("first")?.status).toBe("proposed");
    expect(notices.at(-1)).toBe("0 masks accepted.");
  });

  it("leave the frames that somebody else works on to them, and say so", async () => {
    const { journal, user } = session.options;
    const sent: number[] = [];
    journal.confirmed.on((op) => sent.push(op.imageId));
    session.store.setMask("first", maskItem("first", { track: "cat" }), "remote");
    server.stored[0]?.masks.push(mask("second", 1, { status: "proposed" }));
    server.holders = new Map([
      [HERE + 1, "rae"],
      [HERE + 2, user.username],
    ]);
    await desk.refresh();
    desk.playhead.arrive(2);
    await desk.tracks.acceptUpTo(session, desk.timeline.tracks[0] as Track);
    expect(sent).toEqual([HERE + 2]);
    expect(notices.at(-1)).toBe("1 mask accepted. 1 frame is left: somebody works on it.");
  });

  it("lead to what is most worth correcting, and from one accepted mask to the next", () => {
    session.store.setMask("first", maskItem("first", { track: "cat" }), "remote");
    desk.tracks.worst();
    expect([opened, desk.current]).toEqual([[HERE + 2], "cat"]);
    desk.tracks.keyframe(1);
    expect(notices.at(-1)).toBe("There is no accepted mask later in the track.");
    desk.tracks.keyframe(-1);
    expect(desk.playhead.at).toBe(0);
  });

  it("lead on to the doubts of others where the chosen one has none left, and can be let go", async () => {
    server.add("dog", [mask("doubt", 3, { status: "proposed", confidence: 0.4 })]);
    server.add("done", [mask("sure", 1)]);
    await desk.refresh();
    desk.choose("done");
    desk.tracks.worst();
    expect(notices).toEqual([]);
    expect(opened).toHaveLength(1);
    desk.choose(null);
    expect(desk.current).toBeNull();
  });
});

describe("from frame to frame", () => {
  it("the chosen track, the view and the tool stay", () => {
    session.store.setMask("here", maskItem("here", { track: "cat" }));
    session.select("here");
    session.setTool("brush");
    session.growBrush(2);
    session.toggleAllHidden();
    session.setView({ scale: 3, x: -5, y: 7 });
    const next = openSession(size, { video: desk, image: HERE + 1, measured: false });
    next.store.setMask("there", maskItem("there", { track: "cat" }), "remote");
    leave();
    desk.attach(next);
    next.setCanvas(session.canvas);
    expect([next.selectedId, next.toolId]).toEqual(["there", "brush"]);
    expect(next.view).toEqual({ scale: 3, x: -5, y: 7 });
    expect([next.brushRadius, next.allHidden]).toEqual([session.brushRadius, true]);
    expect(desk.playhead.opened).toBe(1);
  });

  it("nothing is changed on a frame while another one is looked at: that one is opened first", () => {
    session.store.setMask("here", maskItem("here"));
    session.select("here");
    desk.playhead.show(2);
    session.masks.delete("here");
    expect(session.store.mask("here")?.status).toBe("accepted");
    expect(opened).toEqual([HERE + 2]);
    expect(desk.settle()).toBe(true);
    desk.playhead.goTo(0);
    expect(desk.settle()).toBe(false);
  });

  it("work that was handed out is found again by whoever looks at the frame beside it", () => {
    const task = { id: 9, kind: "review", lease: "mine", image: { id: HERE + 1 } } as Task;
    leave();
    const review = openSession(size, { video: desk, image: HERE + 1, task });
    desk.attach(review)();
    expect(desk.tasks.get(HERE + 1)).toMatchObject({ id: 9, kind: "review", lease: null });
    const again = openSession(size, { video: desk, image: HERE + 1, task });
    again.flow.finished = true;
    desk.attach(again)();
    expect(desk.tasks.size).toBe(0);
  });

  it("a mask that is in no track stays selected when the timeline arrives", async () => {
    session.store.setMask("lone", maskItem("lone"));
    session.select("lone");
    await desk.load();
    expect(session.selectedId).toBe("lone");
  });

  it("what was fetched of other frames counts as old once tracks may have changed", async () => {
    const before = stale;
    await desk.refresh();
    expect(stale).toBe(before + 1);
  });

  it("a whole frame goes on being shown whole when the timeline below takes its room", () => {
    session.setCanvas({ width: 88, height: 48 });
    expect(session.view).toEqual(fitImage(size, { width: 88, height: 48 }));
    session.setView({ scale: 3, x: -5, y: 7 });
    session.setCanvas({ width: 88, height: 78 });
    expect(session.view).toEqual({ scale: 3, x: -5, y: 22 });
  });

  it("what is drawn here shows in the timeline before the server knows", () => {
    server.add("cat", []);
    return desk.refresh().then(() => {
      session.store.setMask("new", maskItem("new", { track: "cat" }));
      expect(desk.timeline.tracks[0]?.masks.map(({ id, image }) => [id, image])).toEqual([["new", HERE]]);
    });
  });

  it("the next frame is one whose work is not done, and its neighbours lie on the way", async () => {
    expect(await desk.nextOpen(HERE)).toBe(HERE + 2);
    expect(desk.neighbours(HERE + 2)).toEqual([HERE + 3, HERE + 4, HERE + 1]);
  });
});

it("a timeline that cannot be loaded says why, and can be asked for again", async () => {
  const { frames } = server;
  server.frames = async () => {
    throw new ApiError(0, "offline", "The server cannot be reached.");
  };
  await desk.load();
  expect(desk.problem).toBe("The server cannot be reached.");
  server.frames = frames;
  await desk.load();
  expect([desk.problem, desk.timeline.frames.length]).toEqual([null, FRAMES]);
});
