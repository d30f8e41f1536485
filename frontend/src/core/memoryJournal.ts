import type { JournalOp, JournalStore } from "./journal";

/** Operations in memory: for tests, and for browsers that give no storage. */
export class MemoryJournal implements JournalStore {
  private readonly ops = new Map<number, JournalOp>();
  private last = 0;

  async all(): Promise<JournalOp[]> {
    return [...this.ops.values()];
  }

  async add(op: Omit<JournalOp, "seq">): Promise<number> {
    this.last += 1;
    this.ops.set(this.last, { ...op, seq: this.last });
    return this.last;
  }

  async replace(op: JournalOp): Promise<void> {
    this.ops.set(op.seq, op);
  }

  async remove(seq: number): Promise<void> {
    this.ops.delete(seq);
  }
}
