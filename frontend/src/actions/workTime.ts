import { ActiveClock } from "../core/clock";

/** Active time on one image: all of it, what the server has not been told, and what went into the mask in the making. */
export class WorkTime {
  readonly clock = new ActiveClock(() => performance.now());
  private told = 0;
  private atLastMask: number;

  /** `before`: active seconds of an earlier visit that the server was not told. */
  constructor(before: number) {
    this.clock.goOnFrom(before);
    this.atLastMask = this.clock.seconds();
  }

  /** Active seconds that the server does not know of. */
  get untold(): number {
    return Math.max(0, this.clock.seconds() - this.told);
  }

  tell(seconds: number): void {
    this.told += seconds;
  }

  /** Active seconds since the last mask was finished here. */
  get onMask(): number {
    return Math.max(0, this.clock.seconds() - this.atLastMask);
  }

  /** The same, and from now on the next mask's time counts. */
  takeMask(): number {
    const spent = this.onMask;
    this.atLastMask = this.clock.seconds();
    return spent;
  }
}
