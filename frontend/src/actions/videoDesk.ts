import { messageOf } from "../api/client";
import type { Frames, MaskRecord, Task, TrackRecord } from "../api/types";
import type { Direction, videoApi } from "../api/videos";
import { Emitter } from "../core/emitter";
import type { Size } from "../core/geometry";
import type { Later } from "../core/later";
import { EMPTY_TIMELINE, type Frame, type Timeline, type Track, type TrackMask } from "../core/timeline";
import type { Viewport } from "../core/viewport";
import { afterwards } from "./afterwards";
import type { EditorSession } from "./editorSession";
import { Following, type FollowServer, type PursuitMemory } from "./following";
import { Playhead } from "./playhead";
import type { ToolId } from "./toolbox";
import { TrackWork } from "./trackWork";

export interface VideoServer extends Omit<typeof videoApi, "propagate">, FollowServer {
  mask(id: string): Promise<MaskRecord>;
  /** Who works on an image now; null: nobody. */
  holder(image: number): Promise<string | null>;
}

export interface VideoDeskOptions {
  readonly video: number;
  readonly server: VideoServer;
  /** Opens the image of a frame in the editor. */
  readonly open: (image: number) => void;
  /** Resolves when picture and masks of a frame can be shown, or will not be. */
  readonly ready: (image: number) => Promise<unknown>;
  /** What was fetched of masks on other frames may be old by now. */
  readonly stale: () => void;
  readonly memory: PursuitMemory;
  readonly now?: () => number;
  readonly later?: Later;
}

/** What one frame hands on to the next. */
export interface Carried {
  readonly view: Viewport;
  readonly canvas: Size;
  readonly tool: ToolId;
  readonly brushRadius: number;
  readonly removing: boolean;
  readonly allHidden: boolean;
}

/** Milliseconds for which what others did to the tracks may go unseen, when the frame changes. */
const FRESH = 5000;

/** Milliseconds until the next look for frames that are still on their way; twice as many each time that none has come. */
const ARRIVALS = 2000;
const LONGEST_ARRIVALS = 30_000;

/**
 * Work on one video: its timeline, which frame is shown, which track is followed. It outlives the sessions of the single
 * frames, one of which is attached while its frame is open.
 */
export class VideoDesk {
  readonly changed = new Emitter<void>();
  /** Sentences for the person. */
  readonly notices = new Emitter<string>();
  readonly playhead: Playhead;
  readonly following: Following;
  readonly tracks: TrackWork;
  timeline: Timeline = EMPTY_TIMELINE;
  /** Why there is no timeline; null while there is one or it is on its way. */
  problem: string | null = null;
  loaded = false;
  /** The track that is worked on, whatever the frame. */
  current: string | null = null;
  direction: Direction = "forward";
  /** How many frames are followed at most; null: up to what people vouch for, else to the end. */
  limit: number | null = null;
  session: EditorSession | null = null;
  /** Work that was handed out on frames and is not done: whoever looks at the frame beside it comes back to it. */
  readonly tasks = new Map<number, Task>();
  private carried: Carried | null = null;
  private asked = 0;
  private refreshed = 0;
  private readonly now: () => number;
  private readonly later: Later;
  private closed = false;
  private cancelArrivals: () => void = () => undefined;

  constructor(readonly options: VideoDeskOptions) {
    const later = options.later ?? afterwards;
    this.later = later;
    this.now = options.now ?? (() => performance.now());
    const changed = () => this.changed.emit();
    const notice = (message: string) => this.notices.emit(message);
    this.playhead = new Playhead({
      last: () => this.timeline.last,
      rate: () => this.rate,
      open: (place) => this.at(place, options.open),
      ready: async (place) => this.at(place, options.ready),
      changed,
      notice,
      now: this.now,
      later,
    });
    const { server, memory } = options;
    this.following = new Following({ server, memory, onMasks: this.onMasks, changed, notice, later });
    this.tracks = new TrackWork(this);
  }

  /** Asks for all frames and tracks. */
  async load(): Promise<void> {
    this.closed = false;
    this.problem = null;
    this.changed.emit();
    const { server, video } = this.options;
    try {
      const tracks = server.tracks(video);
      // Whoever waits for the frames first must not be told of this twice.
      tracks.catch(() => undefined);
      const { frames, complete } = await this.framesFrom(0);
      this.timeline = this.timeline.withFrames(frames).withTracks((await tracks).tracks.map(trackFrom));
      this.loaded = true;
      if (!complete) this.awaitFrames(ARRIVALS);
      this.following.resume();
      if (this.session) this.takePlace(this.session);
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.changed.emit();
  }

  private async framesFrom(start: number): Promise<{ frames: Frame[]; complete: boolean }> {
    const { server, video } = this.options;
    const frames: Frame[] = [];
    for (let from = start; ; ) {
      const page = await server.frames(video, from);
      frames.push(...page.frames.map(frameFrom));
      if (page.next === null) return { frames, complete: page.complete };
      from = page.next;
    }
  }

  /** A video that is being taken in grows while it is worked on. */
  private awaitFrames(pause: number): void {
    this.cancelArrivals();
    if (!this.closed) this.cancelArrivals = this.later(() => void this.takeArrivals(pause), pause);
  }

  private async takeArrivals(pause: number): Promise<void> {
    const longer = Math.min(2 * pause, LONGEST_ARRIVALS);
    const last = this.timeline.frames.at(-1);
    try {
      const { frames, complete } = await this.framesFrom(last ? last.number + 1 : 0);
      if (this.closed || last?.number !== this.timeline.frames.at(-1)?.number) return;
      if (frames.length > 0) {
        this.timeline = this.timeline.withFrames([...this.timeline.frames, ...frames]);
        this.changed.emit();
      }
      if (!complete) this.awaitFrames(frames.length > 0 ? ARRIVALS : longer);
    } catch {
      this.awaitFrames(longer);
    }
  }

  /** Asks what the tracks have now. A question that fails is asked again with the next change. */
  async refresh(): Promise<void> {
    if (!this.loaded || this.closed) return;
    const asked = ++this.asked;
    this.refreshed = this.now();
    this.options.stale();
    try {
      const { tracks } = await this.options.server.tracks(this.options.video);
      if (asked !== this.asked || this.closed) return;
      this.timeline = this.timeline.withTracks(tracks.map(trackFrom));
      if (this.session) this.takeOver(this.session);
      this.changed.emit();
    } catch {
      // What is shown stays true enough until then.
    }
  }

  /** Asks what one track has now, which is little beside all of them. */
  private readonly onMasks = async (track: string, ended: boolean): Promise<void> => {
    if (ended) return this.refresh();
    this.options.stale();
    const asked = this.asked;
    const record = await this.options.server.track(track).catch(() => null);
    if (record === null || asked !== this.asked || this.closed) return;
    this.timeline = this.timeline.withTrack(trackFrom(record));
    if (this.session) this.takeOver(this.session);
    this.changed.emit();
  };

  close(): void {
    this.closed = true;
    this.cancelArrivals();
    this.playhead.stop();
    this.following.close();
  }

  /** A frame is open. Returns what is to be called when it is left. */
  attach(session: EditorSession): () => void {
    this.session = session;
    if (this.carried) {
      const { tool, brushRadius, removing, allHidden } = this.carried;
      session.setTool(tool);
      Object.assign(session, { brushRadius, removing, allHidden });
      session.begin(this.carried);
    }
    this.takePlace(session);
    if (this.loaded && this.now() - this.refreshed > FRESH) void this.refresh();
    const offs = [
      session.store.changed.on(({ changes }) => {
        if (!changes.some((change) => change.kind === "mask")) return;
        this.takeOver(session);
        this.changed.emit();
      }),
      session.changed.on(() => this.followSelection(session)),
    ];
    return () => {
      for (const off of offs) off();
      const { view, canvas, toolId: tool, brushRadius, removing, allHidden } = session;
      this.carried = { view, canvas, tool, brushRadius, removing, allHidden };
      this.remember(session);
      if (this.session === session) this.session = null;
    };
  }

  /** Opens the frame that is looked at, where another one is open; whether there was one to open. */
  settle(): boolean {
    const { playhead } = this;
    if (playhead.at === playhead.opened) return false;
    playhead.goTo(playhead.at);
    return true;
  }

  get track(): Track | null {
    return this.timeline.track(this.current);
  }

  /** The look of a track on every frame, as a number of the palette; null for one that is not known. */
  styleOf(track: string): number | null {
    const at = this.timeline.tracks.findIndex((one) => one.id === track);
    return at < 0 ? null : at;
  }

  /** Chooses the track to work on, and its mask on this frame. */
  choose(track: string | null): void {
    this.current = track;
    if (this.session) this.selectCurrent(this.session);
    this.changed.emit();
  }

  setCourse(direction: Direction, limit: number | null): void {
    this.direction = direction;
    this.limit = limit;
    this.changed.emit();
  }

  /** The image of the next frame whose work is not done, as the server knows it by now; null where there is none. */
  async nextOpen(image: number): Promise<number | null> {
    const place = this.timeline.placeOf(image);
    if (place === null) return null;
    const number = this.timeline.frames[place]?.number ?? 0;
    const page = await this.options.server.frames(this.options.video, number).catch(() => null);
    const news = new Map(page?.frames.map((record) => [record.image, frameFrom(record)]));
    this.timeline = this.timeline.withFrames(this.timeline.frames.map((frame) => news.get(frame.image) ?? frame));
    this.changed.emit();
    const next = this.timeline.nextOpen(place);
    return next === null ? null : (this.timeline.frames[next]?.image ?? null);
  }

  /** Images to make ready while this one is worked on: first where the way seems to lead. */
  neighbours(image: number): number[] {
    const place = this.timeline.placeOf(image);
    if (place === null) return [];
    const { heading } = this.playhead;
    return [heading, 2 * heading, -heading].flatMap((step) => this.timeline.frames[place + step]?.image ?? []);
  }

  notice(message: string): void {
    this.notices.emit(message);
  }

  private get rate(): number {
    const { frames } = this.timeline;
    const length = (frames.at(-1)?.time ?? 0) - (frames[0]?.time ?? 0);
    return length > 0 ? (frames.length - 1) / length : 1;
  }

  private at<T>(place: number, work: (image: number) => T): T | undefined {
    const frame = this.timeline.frames[place];
    return frame && work(frame.image);
  }

  private takePlace(session: EditorSession): void {
    const place = this.timeline.placeOf(session.options.image.id);
    if (place === null) {
      // A frame that has arrived since the others were asked for.
      if (this.loaded && !this.problem) void this.reload();
      return;
    }
    this.takeOver(session);
    if (this.current !== null) this.selectCurrent(session);
    this.playhead.arrive(place);
  }

  private remember({ flow, options: { task, image } }: EditorSession): void {
    if (!task || task.kind === "annotate") return;
    if (flow.finished) this.tasks.delete(image.id);
    else this.tasks.set(image.id, { ...task, lease: null });
  }

  private async reload(): Promise<void> {
    this.loaded = false;
    await this.load();
    if (this.session && this.timeline.placeOf(this.session.options.image.id) === null)
      this.problem = "This frame is not in its video.";
  }

  /** What this browser knows of the open frame is newer than the server's list. */
  private takeOver(session: EditorSession): void {
    const image = session.options.image.id;
    const here = new Map<string, TrackMask>();
    for (const { id, track, status, predictedIou } of session.store.visible()) {
      if (track === null || (status !== "accepted" && status !== "proposed")) continue;
      here.set(track, { id, image, status, confidence: status === "proposed" ? predictedIou : null });
    }
    this.timeline = this.timeline.withFrame(image, here);
    session.layout.followTracks();
  }

  private selectCurrent(session: EditorSession): void {
    const mask = session.store.visible().find((item) => item.track !== null && item.track === this.current);
    session.select(mask?.id ?? null);
  }

  private followSelection(session: EditorSession): void {
    const track = session.selected?.track ?? null;
    if (track === null || track === this.current) return;
    this.current = track;
    this.changed.emit();
  }
}

function frameFrom(record: Frames["frames"][number]): Frame {
  const { image, number, time, state } = record;
  return { image, number, time, open: state === null || state === "open" || state === "claimed" };
}

export function trackFrom(record: TrackRecord): Track {
  const masks = record.masks.map(({ id, image, status, confidence }): TrackMask => {
    const proposed = status === "proposed";
    return { id, image, status: proposed ? "proposed" : "accepted", confidence: proposed ? confidence : null };
  });
  return { id: record.id, category: record.category, masks };
}
