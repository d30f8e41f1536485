import type { MaskItem, MaskStore } from "../core/maskStore";

/** Which masks are selected: one that is shown in detail, and others beside it for what works on several. */
export class Selection {
  first: string | null = null;
  others: ReadonlySet<string> = new Set();

  constructor(
    private readonly store: MaskStore,
    private readonly changed: () => void,
  ) {}

  /** The masks that still count, the one shown in detail first. */
  get items(): MaskItem[] {
    const current = new Set(this.store.visible());
    return this.ids
      .map((id) => this.store.mask(id))
      .filter((item): item is MaskItem => item !== null && current.has(item));
  }

  set(id: string | null): void {
    this.become(id === null ? [] : [id]);
  }

  /** Adds a mask, or takes it out again. */
  toggle(id: string): void {
    const ids = this.items.map((item) => item.id);
    this.become(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
  }

  /** Stays on masks that got a new version: from the old id to the new one, or to null. */
  follow(versions: ReadonlyMap<string, string | null>): void {
    this.become(this.ids.map((id) => (versions.has(id) ? versions.get(id) : id)).filter((id) => id != null));
  }

  private get ids(): string[] {
    return this.first === null ? [] : [this.first, ...this.others];
  }

  private become([first, ...others]: readonly string[]): void {
    this.first = first ?? null;
    this.others = new Set(others);
    this.changed();
  }
}
