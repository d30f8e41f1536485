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
  const states = () => queue.items().map((item) => item.state);

  beforeEach(() => {
    vi.useFakeTimers();
    arrived.mockReset();
    server = new Server();
    queue = new UploadQueue(server.ports, arrived);
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
    expect(queue.items()[0]?.record?.added).toBe(1);
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
    expect(queue.items()[0]).toMatchObject({ state: "broken", message: "The connection broke." });
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
    expect(queue.items()[0]).toMatchObject({ state: "interrupted", share: 0.5 });
    await queue.add(placed("a"));
    expect(queue.items()).toHaveLength(1);
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
    await queue.remove(queue.items()[0]?.key ?? "");
    expect(queue.items()).toHaveLength(0);
    expect(server.removed).toEqual(["one"]);
  });
});
