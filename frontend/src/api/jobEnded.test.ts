import { beforeEach, describe, expect, it, vi } from "vitest";
import { jobEnded } from "./jobEnded";

type Seen = Parameters<typeof jobEnded>[0];

const job = (state: Seen["state"], error: Seen["error"] = null): Seen => ({ id: "one", state, error });

describe("waiting for a job", () => {
  beforeEach(() => void vi.useFakeTimers());

  it("lasts until the job has succeeded", async () => {
    const ask = vi.fn().mockResolvedValueOnce(job("running")).mockResolvedValueOnce(job("succeeded"));
    const ended = jobEnded(job("queued"), new AbortController().signal, ask);
    await vi.runAllTimersAsync();
    await ended;
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("says why a job came to nothing, also when somebody stopped it", async () => {
    const { signal } = new AbortController();
    const failed = job("failed", { code: "unreadable", message: "The values cannot be read." });
    await expect(jobEnded(failed, signal, vi.fn())).rejects.toThrow("The values cannot be read.");
    await expect(jobEnded(job("cancelled"), signal, vi.fn())).rejects.toThrow("This was stopped.");
  });

  it("ends when nobody waits any more", async () => {
    const closing = new AbortController();
    const ask = vi.fn();
    const ended = jobEnded(job("running"), closing.signal, ask);
    closing.abort();
    await vi.runAllTimersAsync();
    await ended;
    expect(ask).not.toHaveBeenCalled();
  });
});
