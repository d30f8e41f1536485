import { sleep } from "./sleep";
import type { Job } from "./types";

const LOOK_AGAIN = 500; // milliseconds

type State = Pick<Job, "id" | "state" | "error">;

/**
 * Waits until a job has ended, or until `signal` says that nobody waits for it any more. Throws where it came to
 * nothing, with a sentence that says why.
 */
export async function jobEnded(job: State, signal: AbortSignal, ask: (id: string) => Promise<State>): Promise<void> {
  let now = job;
  while (now.state === "queued" || now.state === "running") {
    await sleep(LOOK_AGAIN, signal);
    if (signal.aborted) return;
    now = await ask(job.id);
  }
  if (now.state !== "succeeded") throw new Error(now.error?.message ?? "This was stopped.");
}
