import { type ScreenPoint, screenDistance } from "./geometry";
import type { Later } from "./later";

/** A hand that rests still wanders; this much, in CSS pixels, is resting. */
const REST = 9;

export interface DwellOptions {
  /** Runs `work` after so many milliseconds; returns what stops it. */
  readonly later: Later;
  /** Resting has begun at a point and will count as a click; null: it is over. */
  readonly resting: (at: ScreenPoint | null, milliseconds: number) => void;
  readonly click: (at: ScreenPoint) => void;
}

/** Makes a click of holding the pointer still. After one, the pointer has to move on before the next. */
export class Dwell {
  private rest: ScreenPoint | null = null;
  private done = false;
  private stopTimer: () => void = () => undefined;

  constructor(private readonly options: DwellOptions) {}

  /** The pointer is at a point of the canvas. `milliseconds`: how long a rest has to be; null: dwelling is off. */
  move(at: ScreenPoint, milliseconds: number | null): void {
    if (milliseconds === null) {
      if (this.rest) this.stop();
      return;
    }
    if (this.rest && screenDistance(this.rest, at) <= REST) return;
    this.stop();
    this.rest = at;
    this.options.resting(at, milliseconds);
    this.stopTimer = this.options.later(() => this.fire(), milliseconds);
  }

  /** The pointer has gone, or does something else. */
  stop(): void {
    this.stopTimer();
    if (this.rest && !this.done) this.options.resting(null, 0);
    this.rest = null;
    this.done = false;
  }

  private fire(): void {
    if (!this.rest) return;
    this.done = true;
    this.options.resting(null, 0);
    this.options.click(this.rest);
  }
}
