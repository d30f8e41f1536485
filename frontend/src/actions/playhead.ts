import type { Later } from "../core/later";

/** Two steps closer than this are a held key: the frame they pass is shown, and only the last is opened. */
const QUICK = 300;
const REST = 160;
/** Pictures fetched ahead while playing. */
const AHEAD = 2;
/** Nobody sees more of a sequence in a browser that fetches every picture. */
const FASTEST = 10;

export interface PlayheadOptions {
  readonly last: () => number;
  /** Frames per second of the video as it was taken. */
  readonly rate: () => number;
  /** Opens a frame to be worked on. */
  readonly open: (place: number) => void;
  /** Resolves when a frame can be shown, or will not be. */
  readonly ready: (place: number) => Promise<unknown>;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
  readonly now: () => number;
  readonly later: Later;
}

/**
 * Which frame is shown. It may run ahead of the one that is open in the editor: while it is dragged, while a key is held
 * and while the video plays, frames are only looked at; where it comes to rest, the frame is opened.
 */
export class Playhead {
  /** The place that is shown. */
  at = 0;
  /** The place that is open in the editor. */
  opened = 0;
  playing = false;
  /** +1 or -1: which way the last step went, and the next one probably goes. */
  heading: 1 | -1 = 1;
  /** The place that was asked to be opened last; what arrives from before is not waited for. */
  private asked = 0;
  private steppedAt = Number.NEGATIVE_INFINITY;
  private cancelTimer: () => void = () => undefined;
  private round = 0;

  constructor(private readonly options: PlayheadOptions) {}

  /** A frame is open in the editor now. Somebody who has gone on meanwhile stays where they are. */
  arrive(place: number): void {
    const waiting = this.at !== this.opened && this.at !== place;
    this.opened = this.asked = place;
    if (!waiting) this.at = place;
    this.options.changed();
  }

  /** Shows a frame without opening it. */
  show(place: number): void {
    this.stop();
    this.move(place);
  }

  /** Shows a frame and opens it. */
  goTo(place: number): void {
    this.stop();
    this.move(place);
    this.rest();
  }

  step(by: number): void {
    const place = this.at + by;
    if (place < 0 || place > this.options.last()) {
      this.options.notice(by > 0 ? "This is the last frame." : "This is the first frame.");
      return;
    }
    this.stop();
    const now = this.options.now();
    const quick = now - this.steppedAt < QUICK;
    this.steppedAt = now;
    this.move(place);
    if (quick) this.cancelTimer = this.options.later(() => this.rest(), REST);
    else this.rest();
  }

  /** Where the playhead is, the frame is opened. */
  rest(): void {
    this.cancelTimer();
    if (this.at === this.opened && this.asked === this.opened) return;
    this.asked = this.at;
    this.options.open(this.at);
  }

  toggle(): void {
    if (!this.playing) return void this.play();
    this.stop();
    this.rest();
  }

  /** One frame after another, each when its picture is there, to the end; from the beginning if it is there already. */
  async play(): Promise<void> {
    this.stop();
    const round = ++this.round;
    this.playing = true;
    if (this.at === this.options.last()) this.move(0);
    this.options.changed();
    const pause = 1000 / Math.min(FASTEST, Math.max(1, this.options.rate()));
    while (this.at < this.options.last()) {
      const next = this.at + 1;
      for (let ahead = 1; ahead <= AHEAD; ahead++) {
        if (next + ahead <= this.options.last()) void this.options.ready(next + ahead);
      }
      await Promise.all([this.pause(pause), this.options.ready(next)]);
      if (round !== this.round) return;
      this.move(next);
    }
    this.playing = false;
    this.options.changed();
    this.rest();
  }

  /** Holds still, wherever it is. */
  stop(): void {
    this.cancelTimer();
    this.round += 1;
    if (!this.playing) return;
    this.playing = false;
    this.options.changed();
  }

  private move(place: number): void {
    const to = Math.max(0, Math.min(this.options.last(), place));
    if (to !== this.at) this.heading = to > this.at ? 1 : -1;
    this.at = to;
    this.options.changed();
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.options.later(resolve, milliseconds));
  }
}
