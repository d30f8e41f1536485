import { Emitter } from "./emitter";
import { type ChangeSet, isCurrent, type MaskItem, type MaskStore } from "./maskStore";
import { colourOf, MASK_COLOURS, type Rgb } from "./palette";

/** What is kept of a layout between visits. */
export interface KeptLayout {
  /** Ids from the lowest to the uppermost mask. */
  readonly order: readonly string[];
  readonly hidden: readonly string[];
  readonly locked: readonly string[];
  readonly styles: readonly (readonly [id: string, style: number])[];
}

/**
 * Made by a machine before anybody looked: locked until somebody asks for it. What the model has followed through a
 * video is there because somebody asked, and is meant to be corrected.
 */
export const isPrefilled = (item: MaskItem): boolean =>
  item.track === null && (item.status === "proposed" || (item.createdBy === "" && item.source === "model"));

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
  private readonly taken = new TakenStyles();
  private listedFor: unknown = null;
  private list: readonly MaskItem[] = [];
  private readonly off: () => void;

  constructor(
    private readonly store: MaskStore,
    kept: KeptLayout | null = null,
    /** The look of a track, the same on every frame; null for one that is not known (yet). */
    private readonly trackStyle: ((track: string) => number | null) | null = null,
  ) {
    this.order = [...(kept?.order ?? [])];
    this.known = new Set(this.order);
    this.hidden = new Set(kept?.hidden);
    this.locked = new Set(kept?.locked);
    this.styles = new Map(kept?.styles);
    const items = [...store.current.masks.values()];
    for (const item of items) if (isCurrent(item)) this.taken.add(this.styles.get(item.id));
    this.adopt(items);
    this.followTracks();
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
    const next = new Set(this.hidden);
    if (hidden) next.add(id);
    else next.delete(id);
    this.hidden = next;
    this.changed.emit();
  }

  setLocked(ids: readonly string[], locked: boolean): void {
    const next = new Set(this.locked);
    for (const id of ids) {
      if (locked) next.add(id);
      else next.delete(id);
    }
    this.locked = next;
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

  /** Gives masks of tracks the look that their track has on every frame. Whoever else had it takes another. */
  followTracks(): void {
    const { trackStyle } = this;
    if (!trackStyle) return;
    const owned = new Map<string, number>();
    for (const { id, track } of this.store.visible()) {
      const style = track === null ? null : trackStyle(track);
      if (style !== null) owned.set(id, style);
    }
    const moved = [...owned].filter(([id, style]) => this.styles.get(id) !== style);
    for (const [id, style] of moved) {
      this.taken.remove(this.styles.get(id));
      this.styles.set(id, style);
      this.taken.add(style);
    }
    const styles = new Set(owned.values());
    const clashing = this.store.visible().filter(({ id }) => !owned.has(id) && styles.has(this.styleOf(id)));
    for (const item of clashing) this.restyle(item);
    if (moved.length + clashing.length > 0) this.changed.emit();
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
    const appeared: MaskItem[] = [];
    for (const change of changes) {
      if (change.kind !== "mask") continue;
      const { id, before, after } = change;
      const [was, is] = [before !== null && isCurrent(before), after !== null && isCurrent(after)];
      if (was && !is) this.taken.remove(this.styles.get(id));
      if (was || !after) continue;
      if (!this.known.has(id)) {
        appeared.push(after);
      } else if (is) {
        this.taken.add(this.styles.get(id));
        // Back from the bin: its colour may have gone to another one meanwhile.
        if (before) this.restyle(after);
      }
    }
    this.adopt(appeared);
    if (changes.some((change) => change.kind === "mask" && change.after?.track)) this.followTracks();
  }

  private adopt(items: readonly MaskItem[]): void {
    if (items.length === 0) return;
    const [hidden, locked] = [new Set(this.hidden), new Set(this.locked)];
    for (const item of items) {
      const { id, parent } = item;
      if (!this.known.has(id)) {
        this.known.add(id);
        const place = parent !== null && this.known.has(parent) ? this.order.indexOf(parent) : -1;
        if (place < 0) this.order.push(id);
        else this.order.splice(place + 1, 0, id);
        if (parent !== null && hidden.has(parent)) hidden.add(id);
        if (isPrefilled(item)) locked.add(id);
      }
      this.firstStyle(item);
    }
    [this.hidden, this.locked, this.listedFor] = [hidden, locked, null];
  }

  private firstStyle(item: MaskItem): void {
    const { id, parent } = item;
    const known = this.styles.get(id);
    // A later round was for want of colours; on another visit there may be some again.
    if (known !== undefined && known < MASK_COLOURS.length) return;
    const inherited = parent === null ? undefined : this.styles.get(parent);
    if (inherited === undefined) {
      this.restyle(item);
      return;
    }
    this.styles.set(id, inherited);
    if (!isCurrent(item)) return;
    this.taken.remove(known);
    this.taken.add(inherited);
  }

  /** Gives the mask a style that no other current mask has, of its own colour if that is free. */
  private restyle(item: MaskItem): void {
    const before = this.styles.get(item.id);
    if (isCurrent(item)) this.taken.remove(before);
    const style = this.taken.free((before ?? MASK_COLOURS.indexOf(colourOf(item.id))) % MASK_COLOURS.length);
    this.styles.set(item.id, style);
    if (isCurrent(item)) this.taken.add(style);
  }
}

/** The styles that current masks have, counted so that giving out one more costs the same however many there are. */
class TakenStyles {
  private readonly masks = new Map<number, number>();
  /** Styles taken, by colour and by round. */
  private readonly ofColour: number[] = [];
  private readonly ofRound: number[] = [];

  add(style: number | undefined): void {
    if (style !== undefined) this.count(style, 1);
  }

  remove(style: number | undefined): void {
    if (style !== undefined && this.masks.has(style)) this.count(style, -1);
  }

  /**
   * A style that nobody has: a colour that nobody has, `own` or the next one; where all are taken, one of the first
   * later round that has a place left, which is one of the colours again with a hatching.
   */
  free(own: number): number {
    const fromOwn = MASK_COLOURS.map((_, at) => (own + at) % MASK_COLOURS.length);
    const colour = fromOwn.find((one) => !this.ofColour[one]);
    if (colour !== undefined) return colour;
    let round = 1;
    while (this.ofRound[round] === MASK_COLOURS.length) round++;
    const styles = fromOwn.map((one) => round * MASK_COLOURS.length + one);
    return styles.find((style) => !this.masks.has(style)) as number;
  }

  private count(style: number, by: 1 | -1): void {
    const before = this.masks.get(style) ?? 0;
    const after = before + by;
    if (after > 0) this.masks.set(style, after);
    else this.masks.delete(style);
    const colour = style % MASK_COLOURS.length;
    const round = Math.floor(style / MASK_COLOURS.length);
    const places = Math.sign(after) - Math.sign(before);
    this.ofColour[colour] = (this.ofColour[colour] ?? 0) + places;
    this.ofRound[round] = (this.ofRound[round] ?? 0) + places;
  }
}
