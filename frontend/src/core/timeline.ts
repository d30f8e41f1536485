/** A frame of a video: an image with a place in time. */
export interface Frame {
  readonly image: number;
  /** Of the video, from 0. Frames that were removed leave gaps. */
  readonly number: number;
  /** Seconds from the beginning. */
  readonly time: number;
  /** Whether nobody has finished the work on it yet. */
  readonly open: boolean;
}

/** What one track has on one frame. */
export interface TrackMask {
  readonly id: string;
  readonly image: number;
  readonly status: "accepted" | "proposed";
  /** How sure the model was, 0..1; null where no model said. */
  readonly confidence: number | null;
}

/** One thing followed through a video, with at most one mask on each frame. */
export interface Track {
  readonly id: string;
  readonly category: string;
  readonly masks: readonly TrackMask[];
}

/** Neighbouring frames that look the same in the timeline, both ends included. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly status: TrackMask["status"];
  /** Of a proposal: 0 (hardly sure) to SURE. */
  readonly sureness: number;
}

/** Where it is worth looking: a proposal that is doubtful and far from what people vouch for. */
export interface Doubt {
  readonly track: string;
  readonly place: number;
  readonly score: number;
}

export interface Tick {
  /** Between two frames where the time lies between theirs. */
  readonly place: number;
  readonly label: string;
}

/** From here on a proposal counts as a step surer: SURE steps in all. */
const SURENESS = [0.5, 0.7, 0.85];
export const SURE = SURENESS.length;
/** Frames from an accepted mask at which a doubt counts half: errors of following grow with the way. */
const HALF_WAY = 8;
/** A frame this close to a more doubtful one of its track shows the same mistake again. */
const SAME_DOUBT = 2;
/** Seconds between two times that are written. */
const TICK_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/**
 * The frames of a video in order, and what its tracks have on them. Immutable. A `place` is a frame's index from 0, which
 * is what people count; its number in the video may be larger.
 */
export class Timeline {
  private readonly places: ReadonlyMap<number, number>;
  private readonly marks: WeakMap<Track, ReadonlyMap<number, TrackMask>>;
  private readonly drawn: WeakMap<Track, readonly Run[]>;

  /** `before`: what came before this one. Of the same frames, what was worked out there need not be again. */
  constructor(
    readonly frames: readonly Frame[],
    readonly tracks: readonly Track[],
    before: Timeline | null = null,
  ) {
    const known = before?.frames === frames ? before : null;
    this.places = known?.places ?? new Map(frames.map((frame, place) => [frame.image, place]));
    this.marks = known?.marks ?? new WeakMap();
    this.drawn = known?.drawn ?? new WeakMap();
  }

  get last(): number {
    return this.frames.length - 1;
  }

  /** Where an image lies; null for one that is no frame of this video. */
  placeOf(image: number): number | null {
    return this.places.get(image) ?? null;
  }

  track(id: string | null): Track | null {
    return this.tracks.find((track) => track.id === id) ?? null;
  }

  /** What the track has on the frame. */
  mask(track: Track, place: number): TrackMask | null {
    return this.marksOf(track).get(place) ?? null;
  }

  withFrames(frames: readonly Frame[]): Timeline {
    return new Timeline(frames, this.tracks);
  }

  /** Other tracks; one that is as it was stays the same object, so that nobody draws it again. */
  withTracks(tracks: readonly Track[]): Timeline {
    const known = new Map(this.tracks.map((track) => [track.id, track]));
    const kept = tracks.map((track) => {
      const before = known.get(track.id);
      return before && sameTrack(before, track) ? before : track;
    });
    return new Timeline(this.frames, kept, this);
  }

  /** One track as it is now; a new one comes last. */
  withTrack(track: Track): Timeline {
    const known = this.tracks.some((one) => one.id === track.id);
    return this.withTracks(
      known ? this.tracks.map((one) => (one.id === track.id ? track : one)) : [...this.tracks, track],
    );
  }

  /** One frame as this browser knows it, which may be newer than the server's list: its tracked masks by track. */
  withFrame(image: number, here: ReadonlyMap<string, TrackMask>): Timeline {
    const place = this.placeOf(image);
    if (place === null) return this;
    const tracks = this.tracks.map((track) => {
      const own = here.get(track.id) ?? null;
      if (sameMask(this.mask(track, place), own)) return track;
      const others = track.masks.filter((mask) => mask.image !== image);
      return { ...track, masks: own ? [...others, own] : others };
    });
    return tracks.every((track, at) => track === this.tracks[at]) ? this : new Timeline(this.frames, tracks, this);
  }

  /** The next frame in a direction; null at the end. */
  neighbour(place: number, step: 1 | -1): number | null {
    const next = place + step;
    return next >= 0 && next <= this.last ? next : null;
  }

  /** The next frame in a direction with an accepted mask of the track, or of any with null. */
  keyframe(track: Track | null, place: number, step: 1 | -1): number | null {
    const among = track ? [track] : this.tracks;
    for (let at = place + step; at >= 0 && at <= this.last; at += step) {
      if (among.some((one) => this.mask(one, at)?.status === "accepted")) return at;
    }
    return null;
  }

  /** Proposals of a track from behind the accepted mask before up to a frame, this one included, in their order. */
  proposedUpTo(track: Track, place: number): readonly TrackMask[] {
    const before = this.keyframe(track, place, -1) ?? -1;
    const masks = this.inOrder(track).filter(([at]) => at > before && at <= place);
    return masks.map(([, mask]) => mask).filter((mask) => mask.status === "proposed");
  }

  /** How many frames lie between this one and what people vouch for next, or the end of the video. */
  framesAhead(track: Track | null, place: number, step: 1 | -1): number {
    const next = track && this.keyframe(track, place, step);
    const end = next ?? (step > 0 ? this.last + 1 : -1);
    return Math.max(0, Math.abs(end - place) - 1);
  }

  /** The next frame after this one whose work is not done, from the beginning again at the end. */
  nextOpen(place: number): number | null {
    const { length } = this.frames;
    for (let step = 1; step < length; step++) {
      const at = (place + step) % length;
      if (this.frames[at]?.open) return at;
    }
    return null;
  }

  /**
   * The proposals most worth correcting, of one track or of all with null, the most doubtful first. What counts is how
   * unsure the model was, and how far the nearest accepted mask of the track is. Of neighbours that share a mistake, one.
   */
  doubts(track: Track | null): readonly Doubt[] {
    const found = (track ? [track] : this.tracks).flatMap((one) => this.doubtsOf(one));
    found.sort((a, b) => b.score - a.score || a.place - b.place);
    const kept = new Set<string>();
    return found.filter(({ track: id, place }) => {
      for (let at = place - SAME_DOUBT; at <= place + SAME_DOUBT; at++) if (kept.has(`${at} ${id}`)) return false;
      kept.add(`${place} ${id}`);
      return true;
    });
  }

  /** The track as it is drawn, from the beginning to the end. */
  runs(track: Track): readonly Run[] {
    const known = this.drawn.get(track);
    if (known) return known;
    const runs: Run[] = [];
    for (const [place, mask] of this.inOrder(track)) {
      const { status } = mask;
      const sureness = status === "accepted" ? SURE : surenessOf(mask.confidence);
      const last = runs.at(-1);
      if (last && last.to === place - 1 && last.status === status && last.sureness === sureness) {
        runs[runs.length - 1] = { ...last, to: place };
      } else {
        runs.push({ from: place, to: place, status, sureness });
      }
    }
    this.drawn.set(track, runs);
    return runs;
  }

  /** Times to write along a strip so wide that no two come closer than `apart`, both in CSS pixels. */
  ticks(width: number, apart: number): readonly Tick[] {
    const { frames } = this;
    const first = frames[0]?.time ?? 0;
    const length = (frames.at(-1)?.time ?? 0) - first;
    if (length <= 0 || width <= 0) return frames.length > 0 ? [{ place: 0, label: timeText(first) }] : [];
    const least = (length * apart) / width;
    const step = TICK_STEPS.find((one) => one >= least) ?? Math.ceil(least / 3600) * 3600;
    const ticks: Tick[] = [];
    let place = 0;
    for (let number = Math.ceil(first / step - 1e-6); number * step <= first + length + 1e-6; number++) {
      const time = number * step;
      while (place < this.last && (frames[place]?.time ?? 0) < time - 1e-6) place++;
      const [before, after] = [frames[place - 1]?.time ?? first, frames[place]?.time ?? first];
      const back = after > before ? (after - time) / (after - before) : 0;
      ticks.push({ place: Math.max(0, place - Math.max(0, back)), label: timeText(time) });
    }
    return ticks;
  }

  /** "Frame 12 of 60, 2.4 s". */
  frameText(place: number): string {
    const time = this.frames[place]?.time ?? 0;
    return `Frame ${place + 1} of ${this.frames.length}, ${timeText(time)}`;
  }

  private marksOf(track: Track): ReadonlyMap<number, TrackMask> {
    let marks = this.marks.get(track);
    if (!marks) {
      marks = new Map(
        track.masks.flatMap((mask) => {
          const place = this.placeOf(mask.image);
          return place === null ? [] : [[place, mask] as const];
        }),
      );
      this.marks.set(track, marks);
    }
    return marks;
  }

  private inOrder(track: Track): [number, TrackMask][] {
    return [...this.marksOf(track)].sort(([a], [b]) => a - b);
  }

  private doubtsOf(track: Track): Doubt[] {
    const marks = this.inOrder(track);
    const vouched = marks.filter(([, mask]) => mask.status === "accepted").map(([place]) => place);
    let next = 0;
    return marks.flatMap(([place, mask]) => {
      if (mask.status === "accepted") return [];
      while (next < vouched.length && (vouched[next] as number) < place) next++;
      const [before = -Infinity, after = Infinity] = [vouched[next - 1], vouched[next]];
      const distance = Math.min(place - before, after - place);
      const far = distance === Infinity ? 1 : distance / (distance + HALF_WAY);
      return [{ track: track.id, place, score: (1 - (mask.confidence ?? 0)) * far }];
    });
  }
}

export const EMPTY_TIMELINE = new Timeline([], []);

/** "0.5 s", "12 s"; from a minute on "1:05". */
export function timeText(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function surenessOf(confidence: number | null): number {
  return SURENESS.filter((bar) => (confidence ?? 0) >= bar).length;
}

function sameTrack(a: Track, b: Track): boolean {
  if (a === b) return true;
  if (a.category !== b.category || a.masks.length !== b.masks.length) return false;
  const known = new Map(a.masks.map((mask) => [mask.image, mask]));
  return b.masks.every((mask) => sameMask(known.get(mask.image) ?? null, mask));
}

function sameMask(a: TrackMask | null, b: TrackMask | null): boolean {
  if (a === null || b === null) return a === b;
  return a.id === b.id && a.status === b.status && a.confidence === b.confidence;
}
