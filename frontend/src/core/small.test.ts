import { describe, expect, it } from "vitest";
import { ActiveClock } from "./clock";
import { Latency, Timings } from "./latency";
import { NewestWins, Overtaken } from "./newestWins";
import { uuidFrom } from "./uuid";

describe("active time", () => {
  it("counts while something happens and leaves out pauses of half a minute and hidden tabs", () => {
    let now = 0;
    const clock = new ActiveClock(() => now);
    clock.activity();
    now = 10_000;
    clock.activity();
    expect(clock.seconds()).toBe(10);
    now = 100_000; // 90 s of nothing
    clock.activity();
    expect(clock.seconds()).toBe(10);
    now = 105_000;
    clock.setHidden(true);
    now = 300_000;
    expect(clock.running()).toBe(false);
    clock.setHidden(false);
    now = 302_000;
    expect(clock.seconds()).toBe(17);
  });
});

describe("latency", () => {
  it("gives nearest-rank percentiles of the last samples", () => {
    const latency = new Latency(100);
    expect(latency.summary()).toBeNull();
    for (let i = 1; i <= 200; i++) latency.add(i);
    expect(latency.summary()).toEqual({ count: 100, p50: 150, p95: 195, last: 200 });
  });

  it("counts an answer that was known as an answer, and not as one of the decoder's", () => {
    const timings = new Timings();
    timings.answered({ milliseconds: 20, decoding: 9 });
    timings.answered({ milliseconds: 4, decoding: null });
    expect(timings.answer.summary()).toMatchObject({ count: 2, p50: 4, last: 4 });
    expect(timings.decode.summary()).toMatchObject({ count: 1, last: 9 });
    timings.clear();
    expect(timings.decode.summary()).toBeNull();
  });
});

describe("newest wins", () => {
  it("runs one at a time and drops all waiting but the last", async () => {
    const queue = new NewestWins();
    let release = () => undefined as unknown;
    const first = queue.do(() => new Promise<string>((resolve) => (release = () => resolve("first"))));
    const second = queue.do(async () => "second");
    const third = queue.do(async () => "third");
    await expect(second).rejects.toBeInstanceOf(Overtaken);
    release();
    expect(await Promise.all([first, third])).toEqual(["first", "third"]);
    expect(queue.busy).toBe(false);
  });
});

describe("uuid", () => {
  it("marks version 4", () => {
    expect(uuidFrom(new Uint8Array(16).fill(255))).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff");
  });
});
