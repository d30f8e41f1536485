import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import type { SendingEvents } from "../api/tusUpload";
import type { UploadRecord } from "../api/types";
import { fingerprintOf, UploadQueue } from "./uploadQueue";

/** A server that keeps what it is told, and the sendings under way. */
class Server {
  records: UploadRecord[] = [];
  removed: string[] = [];
  sendings: { file: File; address: string | null; events: SendingEvents; paused: boolean }[] = [];

  readonly ports = {
    send: (file: File, _metadata: Record<string, string>, address: string | null, events: SendingEvents) => {
      const sending = { file, address, events, paused: false };
      this.sendings.push(sending);
      return {
        pause: () => {
          sending.paused = true;
        },
      };
    },
    list: () => Promise.resolve({ at: "2026-01-01T00:00:00Z", max_video_frames: 3000, uploads: this.records }),
    remove: (id: string) => {
      this.removed.push(id);
      return Promise.resolve();
    },
  };
}

const file = (name: string, type = "image/png") => new File(["12345678"], name, { type, lastModified: 1 });
const placed = (...names: string[]) => names.map((name) => ({ file: file(name), path: name }));

function record(id: string, part: Partial<UploadRecord>): UploadRecord {
  const blank = { file_name: id, fingerprint: "", byte_size: 8, received: 0, state: "receiving", progress: 0 } as const;
  const counts = { added: 0, known: 0, refused: 0, job: null, duplicates: [], refusals: [] };
  return { id, ...blank, ...counts, created_at: "", changed_at: "", ...part };
}

describe("uploads", () => {
  let server: Server;
  let queue: UploadQueue;
  const arrived = vi.fn();
  const frames: (() => void)[] = [];
  /** What the next frame shows. */
  const shown = () => {
    for (const work of frames.splice(0)) work();
    return queue.items();
  };
  const states = () => shown().map((item) => item.state);

  beforeEach(() => {
    vi.useFakeTimers();
    arrived.mockReset();
    server = new Server();
    frames.length = 0;
    queue = new UploadQueue(server.ports, arrived, (work) => frames.push(work));
  });

  it("sends three at a time and the next when one has arrived", async () => {
    await queue.add(placed("a", "b", "c", "d"));
    expect(states()).toEqual(["sending", "sending", "sending", "waiting"]);
    server.sendings[0]?.events.onArrived();
    expect(states()).toEqual(["checking", "sending", "sending", "sending"]);
  });

  it("tells what became of a file once the server has checked it", async () => {
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    server.records = [record("one", { state: "done", added: 1, progress: 1 })];
    server.sendings[0]?.events.onArrived();
    await vi.advanceTimersByTimeAsync(10);
    expect(states()).toEqual(["done"]);
    expect(shown()[0]?.record?.added).toBe(1);
    expect(arrived).toHaveBeenCalledTimes(1);
  });

  it("pauses and goes on at the address it had", async () => {
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    queue.pauseAll();
    expect(server.sendings[0]?.paused).toBe(true);
    expect(states()).toEqual(["paused"]);
    queue.resumeAll();
    expect(server.sendings[1]?.address).toBe("/api/uploads/one/");
  });

  it("keeps a broken one and goes on with it when the network is back", async () => {
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    server.sendings[0]?.events.onBroken(new ApiError(0, "offline", "The connection broke."));
    expect(shown()[0]).toMatchObject({ state: "broken", message: "The connection broke." });
    queue.resumeBroken();
    expect(server.sendings[1]?.address).toBe("/api/uploads/one/");
  });

  it("starts anew what the server no longer has", async () => {
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    server.sendings[0]?.events.onBroken(new ApiError(404, "not_found", "Gone."));
    queue.resumeAll();
    expect(server.sendings[1]?.address).toBeNull();
  });

  it("goes on with half a file of before when the same one is chosen again", async () => {
    const key = fingerprintOf(file("a"), "a");
    server.records = [record("one", { fingerprint: key, received: 4 })];
    await queue.load();
    expect(shown()[0]).toMatchObject({ state: "interrupted", share: 0.5 });
    await queue.add(placed("a"));
    expect(shown()).toHaveLength(1);
    expect(server.sendings[0]?.address).toBe("/api/uploads/one/");
  });

  it("does not send what can be no picture, nor the leavings of file managers", async () => {
    await queue.add([
      { file: file("song.mp3", "audio/mpeg"), path: "song.mp3" },
      { file: file(".DS_Store"), path: "x/.DS_Store" },
    ]);
    expect(states()).toEqual(["failed"]);
    expect(server.sendings).toHaveLength(0);
  });

  it("stops a file on the server too", async () => {
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    await queue.remove(shown()[0]?.key ?? "");
    expect(shown()).toHaveLength(0);
    expect(server.removed).toEqual(["one"]);
  });

  it("tells of thousands of files once per frame", async () => {
    const told = vi.fn();
    await queue.load();
    shown();
    queue.subscribe(told);
    await queue.add(placed(...Array.from({ length: 2000 }, (_, number) => `${number}.png`)));
    for (let sent = 0; sent <= 8; sent++) server.sendings[0]?.events.onProgress(sent);
    expect(shown()).toHaveLength(2000);
    expect(shown()[0]?.share).toBe(1);
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("keeps the order in which the files came, whatever becomes of each", async () => {
    await queue.add(placed("a", "b", "c"));
    const keys = shown().map((item) => item.key);
    queue.pause(keys[0] ?? "");
    queue.resume(keys[0] ?? "");
    expect(shown().map((item) => item.name)).toEqual(["a", "b", "c"]);
  });

  it("shows both where the same file was sent twice", async () => {
    const both = { fingerprint: "a|8|1", state: "done" } as const;
    server.records = [record("one", both), record("two", both)];
    await queue.load();
    expect(new Set(shown().map((item) => item.key)).size).toBe(2);
  });

  it("sends nothing more once it is closed, and forgets what was chosen", async () => {
    await queue.add(placed("a", "b", "c", "d"));
    expect(queue.isSending()).toBe(true);
    queue.close();
    expect(server.sendings.map((one) => one.paused)).toEqual([true, true, true]);
    server.sendings[0]?.events.onArrived();
    await queue.add(placed("e"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(shown()).toEqual([]);
    expect(server.sendings).toHaveLength(3);
    expect(queue.isSending()).toBe(false);
  });

  it("asks no more for what the server refuses to tell, until the list is looked at again", async () => {
    const list = vi.spyOn(server.ports, "list");
    await queue.add(placed("a"));
    list.mockRejectedValue(new ApiError(403, "not_allowed", "You are not a member."));
    server.sendings[0]?.events.onArrived();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(list).toHaveBeenCalledTimes(2); // the first was before the file was added
    await queue.load();
    expect(list).toHaveBeenCalledTimes(3);
  });

  it("goes on asking while the server is away", async () => {
    const list = vi.spyOn(server.ports, "list");
    await queue.add(placed("a"));
    server.sendings[0]?.events.onAddress("/api/uploads/one/");
    list.mockRejectedValueOnce(new ApiError(0, "offline", "The server cannot be reached."));
    server.records = [record("one", { state: "done", added: 1, progress: 1 })];
    server.sendings[0]?.events.onArrived();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states()).toEqual(["done"]);
  });
});
