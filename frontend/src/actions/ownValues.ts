import { sleep } from "../api/sleep";
import type { ValuesAnswer } from "../api/types";
import type { ValuesSource } from "../core/deepValues";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 2000;

/** Where the picture's own values stand. `none`: it has none beyond what is stored. */
export type ValuesState =
  | { readonly kind: "none" | "idle" | "loading" }
  | { readonly kind: "ready"; readonly source: ValuesSource }
  | { readonly kind: "failed"; readonly message: string };

interface OwnValuesOptions {
  readonly offered: boolean;
  /** Asks where they stand; asking has them prepared, with `again` also after a failure. */
  readonly ask: (again: boolean, signal: AbortSignal) => Promise<ValuesAnswer>;
  readonly changed: () => void;
}

/** The values of a deep picture beyond the 8 bits that are stored for showing: asked for when somebody looks at them. */
export class OwnValues {
  state: ValuesState;
  private readonly stop = new AbortController();

  constructor(private readonly options: OwnValuesOptions) {
    this.state = { kind: options.offered ? "idle" : "none" };
  }

  /** Somebody wants to see them. After a failure `again` tries once more. */
  want(again = false): void {
    const { kind } = this.state;
    if (kind === "idle" || (again && kind === "failed")) void this.wait(again);
  }

  fail(message: string): void {
    this.set({ kind: "failed", message });
  }

  close(): void {
    this.stop.abort();
  }

  private async wait(again: boolean): Promise<void> {
    const { signal } = this.stop;
    this.set({ kind: "loading" });
    try {
      for (let wait = FIRST_WAIT; !signal.aborted; wait = Math.min(LONGEST_WAIT, wait * 1.3)) {
        const answer = await this.options.ask(again && wait === FIRST_WAIT, signal);
        if (answer.state === "failed") return this.fail(answer.message);
        if (answer.state === "ready" && answer.url && answer.kind) {
          return this.set({ kind: "ready", source: { ...answer, url: answer.url, kind: answer.kind } });
        }
        await sleep(wait, signal);
      }
    } catch (error) {
      this.fail(error instanceof Error ? error.message : "The original values could not be loaded.");
    }
  }

  private set(state: ValuesState): void {
    if (this.stop.signal.aborted) return;
    this.state = state;
    this.options.changed();
  }
}
