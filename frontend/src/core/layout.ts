import { Emitter } from "./emitter";
import type { ChangeSet, MaskItem, MaskStore } from "./maskStore";
import { colourOf, MASK_COLOURS, type Rgb } from "./palette";

/** What is kept of a layout between visits. */
export interface KeptLayout {
  /** Ids from the lowest to the uppermost mask. */
  readonly order: readonly string[];
  readonly hidden: readonly string[];
  readonly locked: readonly string[];
  readonly styles: readonly (readonly [id: string, style: number])[];
}

export const isCurrent = (item: MaskItem): boolean => item.status === "accepted" || item.status === "proposed";

/** Made by a machine before anybody looked: locked until somebody asks for it. */
export const isPrefilled = (item: MaskItem): boolean =>
  item.status === "proposed" || (item.createdBy === "" && item.source === "model");

/**
 * How one person has laid out the masks of one image: their order, their colours, which are hidden and which are
 * locked. It lives in this browser and changes no mask. A correction takes the place of what it corrects.
 */
export class MaskLayout {
  readonly changed = new Emitter<void>();
  hidden: ReadonlySet<string>;
  locked: ReadonlySet<string>;
  private order: string[];
  private readonly known: Set<string>;
  private readonly styles: Map<string, number>;
  private listedFor: unknown = null;
  private list: readonly MaskItem[] = [];
  private readonly off: () => void;

  constructor(
    private readonly store: MaskStore,
    kept: KeptLayout | null = null,
  ) {
    this.order = [...(kept?.order ?? [])];
    this.known = new Set(this.order);
    this.hidden = new Set(kept?.hidden);
    this.locked = new Set(kept?.locked);
    this.styles = new Map(kept?.styles);
    for (const item of store.current.masks.values()) this.adopt(item);
    this.off = store.changed.on((set) => this.follow(set));
  }

  close(): void {
    this.off();
  }

  /** Current masks from the lowest to the uppermost; the same array while nothing changed. */
  listed(): readonly MaskItem[] {
    const { masks } = this.store.current;
    if (this.listedFor !== masks) {
      this.listedFor = masks;
      this.list = this.order.flatMap((id) => {
        const item = masks.get(id);
        return item && isCurrent(item) ? [item] : [];
      });
    }
    return this.list;
  }

  /** Number of the mask's look: its colour is the palette's at this place, and numbers beyond begin a new round. */
  styleOf(id: string): number {
    return this.styles.get(id) ?? 0;
  }

  colourOf(id: string): Rgb {
    return MASK_COLOURS[this.styleOf(id) % MASK_COLOURS.length] as Rgb;
  }

  setHidden(id: string, hidden: boolean): void {
    this.hidden = withMember(this.hidden, id, hidden);
    this.changed.emit();
  }

  setLocked(ids: readonly string[], locked: boolean): void {
    for (const id of ids) this.locked = withMember(this.locked, id, locked);
    this.changed.emit();
  }

  /** Moves a mask up (towards the uppermost, +1) or down among the current ones. False at the end of the list. */
  move(id: string, step: 1 | -1): boolean {
    const list = this.listed();
    const at = list.findIndex((item) => item.id === id);
    const other = list[at + step];
    if (at < 0 || !other) return false;
    this.moveTo(id, other.id);
    return true;
  }

  /** Puts a mask into the place of another; those between move by one. */
  moveTo(id: string, place: string): void {
    const [from, to] = [this.order.indexOf(id), this.order.indexOf(place)];
    if (from < 0 || to < 0 || from === to) return;
    this.order = this.order.toSpliced(from, 1).toSpliced(to, 0, id);
    this.listedFor = null;
    this.changed.emit();
  }

  /** For the next visit: what concerns masks that still exist. */
  keep(): KeptLayout {
    const { masks } = this.store.current;
    const order = this.order.filter((id) => masks.has(id));
    return {
      order,
      hidden: order.filter((id) => this.hidden.has(id)),
      locked: order.filter((id) => this.locked.has(id)),
      styles: order.map((id) => [id, this.styleOf(id)] as const),
    };
  }

  private follow({ changes }: ChangeSet): void {
    for (const change of changes) {
      if (change.kind !== "mask" || !change.after) continue;
      if (!this.known.has(change.id)) this.adopt(change.after);
      // Back from the bin: its colour may have gone to another one meanwhile.
      else if (change.before && !isCurrent(change.before) && isCurrent(change.after)) this.restyle(change.after);
    }
  }

  private adopt(item: MaskItem): void {
    const { id, parent } = item;
    if (!this.known.has(id)) {
      this.known.add(id);
      const place = parent === null ? -1 : this.order.indexOf(parent);
      if (place < 0) this.order.push(id);
      else this.order.splice(place + 1, 0, id);
      if (parent !== null && this.hidden.has(parent)) this.hidden = withMember(this.hidden, id, true);
      if (isPrefilled(item)) this.locked = withMember(this.locked, id, true);
      this.listedFor = null;
    }
    const known = this.styles.get(id);
    // A later round was for want of colours; on another visit there may be some again.
    if (known !== undefined && known < MASK_COLOURS.length) return;
    const inherited = parent === null ? undefined : this.styles.get(parent);
    if (inherited !== undefined) this.styles.set(id, inherited);
    else this.restyle(item);
  }

  /**
   * Gives the mask a colour that no other current mask has, its own if that is free. Where all are taken, a style of a
   * later round: one of the colours again, with a hatching.
   */
  private restyle(item: MaskItem): void {
    const used = new Set<number>();
    for (const other of this.store.current.masks.values()) {
      const style = this.styles.get(other.id);
      if (other.id !== item.id && isCurrent(other) && style !== undefined) used.add(style);
    }
    const count = MASK_COLOURS.length;
    const colours = new Set([...used].map((style) => style % count));
    const own = (this.styles.get(item.id) ?? MASK_COLOURS.indexOf(colourOf(item.id))) % count;
    const fromOwn = Array.from({ length: count }, (_, at) => (own + at) % count);
    let style = fromOwn.find((colour) => !colours.has(colour));
    for (let round = count; style === undefined; round += count) {
      style = fromOwn.map((colour) => round + colour).find((one) => !used.has(one));
    }
    this.styles.set(item.id, style);
  }
}

function withMember(set: ReadonlySet<string>, id: string, member: boolean): ReadonlySet<string> {
  const next = new Set(set);
  if (member) next.add(id);
  else next.delete(id);
  return next;
}
