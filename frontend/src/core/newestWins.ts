/** The request was overtaken by a newer one and never ran, or its answer is no longer wanted. */
export class Overtaken extends Error {
  constructor() {
    super("Overtaken by a newer request.");
  }
}

/**
 * Runs one job at a time and remembers only the newest waiting one; older waiting jobs reject with Overtaken.
 * This keeps a fast pointer from queueing work behind a slow decoder.
 */
export class NewestWins {
  private running = false;
  private waiting: { run: () => void; drop: () => void } | null = null;
  private quiet: (() => void)[] = [];

  get busy(): boolean {
    return this.running;
  }

  /** Resolves when nothing runs and nothing waits: for work that may let everybody else go first. */
  idle(): Promise<void> {
    if (!this.running) return Promise.resolve();
    return new Promise((resolve) => {
      this.quiet.push(resolve);
    });
  }

  do<T>(job: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = () => {
        this.running = true;
        job()
          .then(resolve, reject)
          .finally(() => {
            this.running = false;
            const next = this.waiting;
            this.waiting = null;
            if (next) next.run();
            else for (const resolve of this.quiet.splice(0)) resolve();
          });
      };
      if (!this.running) {
        run();
        return;
      }
      this.waiting?.drop();
      this.waiting = { run, drop: () => reject(new Overtaken()) };
    });
  }
}
