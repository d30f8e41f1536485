import { messageOf } from "../api/client";
import type { MaskItem } from "../core/maskStore";
import type { Track } from "../core/timeline";
import type { EditorSession } from "./editorSession";
import { bodyFromItem, itemFromRecord } from "./records";
import type { VideoDesk } from "./videoDesk";

/** What a person does with tracks. Each says in a sentence why it could not be done. */
export class TrackWork {
  /** Doubts that were jumped to, so that the next jump leads on. */
  private readonly seen = new Set<string>();

  constructor(private readonly desk: VideoDesk) {}

  /**
   * Has the model follow an object from this frame on: that of the selected mask, else that of the track that is worked
   * on. A mask without a track becomes the first of one.
   */
  async follow(session: EditorSession): Promise<void> {
    const { desk } = this;
    const item = this.chosen(session, "Select a mask first: the object that is to be followed.", this.here(session));
    if (!item || !(await this.saved(session))) return;
    const track = item.track ?? (await this.begin(session, item));
    if (track === null) return;
    desk.choose(track);
    this.seen.clear();
    const { direction, limit: frames } = desk;
    await desk.following.start(track, { image: session.options.image.id, direction, frames });
  }

  /** Puts the selected mask to the track that is worked on. */
  async put(session: EditorSession): Promise<void> {
    const { desk } = this;
    const { track } = desk;
    const item = this.chosen(session, "Select the mask first that belongs to the track.");
    if (!item) return;
    if (!track) return desk.notice("Choose a track in the timeline first.");
    if (item.track === track.id) return desk.notice("This mask is in the track already.");
    if (!(await this.saved(session))) return;
    await this.ask(async () => {
      await desk.options.server.putToTrack(track.id, session.serverId(item.id));
      this.tell(session, item.id, track.id);
      desk.notice(`Put to ${this.nameOf(track.id)}.`);
    });
  }

  /** Takes the selected mask out of its track; it stays as a mask of the frame. */
  async takeOut(session: EditorSession): Promise<void> {
    const { desk } = this;
    const item = this.chosen(session, "Select the mask first that is to be taken out of its track.");
    const track = item?.track ?? null;
    if (!item) return;
    if (track === null) return desk.notice("This mask is in no track.");
    if (!(await this.saved(session))) return;
    await this.ask(async () => {
      await desk.options.server.takeFromTrack(track, session.serverId(item.id));
      this.tell(session, item.id, null);
      desk.notice(`Taken out of ${this.nameOf(track)}.`);
    });
  }

  /**
   * Accepts as they are what is proposed of a track, from behind the accepted mask before up to the open frame. Here it is
   * a gesture for undo; on other frames each mask goes the way of every accepted one: to disk, then to the server. Frames
   * that somebody else works on are left to them.
   */
  async acceptUpTo(session: EditorSession, track: Track): Promise<void> {
    const { desk } = this;
    if (!session.mayChange()) return;
    const { journal, image, user } = session.options;
    const masks = desk.timeline.proposedUpTo(track, desk.playhead.opened);
    const others = masks.filter((mask) => mask.image !== image.id);
    let accepted = session.masks.keep(masks.filter((mask) => mask.image === image.id).map((mask) => mask.id));
    let left = 0;
    await this.ask(async () => {
      for (const { id } of others) {
        const record = await desk.options.server.mask(id);
        // Somebody was quicker.
        if (record.status !== "proposed") continue;
        const holder = await desk.options.server.holder(record.image);
        if (holder !== null && holder !== user.username) {
          left += 1;
          continue;
        }
        accepted += 1;
        const body = bodyFromItem(
          { ...itemFromRecord(record), status: "accepted", seconds: 0 },
          record.image,
          null,
          id,
        );
        await journal.add({ imageId: record.image, maskId: session.newId(), kind: "put", body });
      }
      await Promise.all(others.map((mask) => journal.settled(mask.image)));
      const told = accepted === 1 ? "1 mask accepted." : `${accepted} masks accepted.`;
      const held = left === 1 ? "1 frame is" : `${left} frames are`;
      desk.notice(left === 0 ? told : `${told} ${held} left: somebody works on ${left === 1 ? "it" : "them"}.`);
    });
  }

  /** What is followed; the track's masks take the name, too. */
  async rename(track: string, category: string): Promise<void> {
    const { desk } = this;
    await this.ask(async () => {
      const renamed = await desk.options.server.renameTrack(track, category);
      // At once: a correction that is saved before the server is asked for changes would take the old name back.
      const store = desk.session?.store;
      const masks = store?.visible().filter((item) => item.track === track) ?? [];
      store?.setMasks(new Map(masks.map((item) => [item.id, { ...item, category: renamed.category }])), "remote");
    });
  }

  /** Ends a track. `proposed`: what nobody has accepted goes into the bin. */
  async end(track: string, proposed: boolean): Promise<void> {
    const { desk } = this;
    const name = this.nameOf(track);
    await desk.following.stop(track);
    await this.ask(async () => {
      await desk.options.server.endTrack(track, proposed);
      if (desk.current === track) desk.choose(null);
      void desk.session?.live.look();
      desk.notice(`${name} is a track no more.`);
    });
  }

  /** Goes to the frame most worth correcting, of the track that is worked on, else of all; again: to the next. */
  worst(): void {
    const { desk } = this;
    // Where the chosen track leaves none, those of the others.
    const doubts = [...desk.timeline.doubts(desk.track), ...(desk.track ? desk.timeline.doubts(null) : [])];
    const key = (at: number, track: string) => `${at} ${track}`;
    let next = doubts.find(({ place, track }) => !this.seen.has(key(place, track)) && place !== desk.playhead.at);
    if (!next) {
      this.seen.clear();
      next = doubts[0];
    }
    if (!next) {
      desk.notice("Nothing is proposed here that nobody has accepted.");
      return;
    }
    this.seen.add(key(next.place, next.track));
    desk.choose(next.track);
    desk.playhead.goTo(next.place);
  }

  /** Goes to the next frame that somebody has accepted a mask on. */
  keyframe(step: 1 | -1): void {
    const { timeline, track, playhead } = this.desk;
    const place = timeline.keyframe(track, playhead.at, step);
    const where = `${step > 0 ? "later" : "earlier"} in the ${track ? "track" : "video"}`;
    if (place === null) this.desk.notice(`There is no accepted mask ${where}.`);
    else playhead.goTo(place);
  }

  /** What a track is called. */
  nameOf(track: string): string {
    const place = this.desk.styleOf(track);
    if (place === null) return "a track";
    return this.desk.timeline.track(track)?.category || `Track ${place + 1}`;
  }

  /** What following would begin with: the selected mask, else the one that the track that is worked on has here. */
  here(session: EditorSession): MaskItem | null {
    const { current } = this.desk;
    const own = () => session.store.visible().find((item) => item.track !== null && item.track === current) ?? null;
    return session.selected ?? own();
  }

  private chosen(session: EditorSession, otherwise: string, item = session.selected): MaskItem | null {
    if (!session.mayChange()) return null;
    if (!session.drafting.empty) {
      this.desk.notice("There is a mask in the making: accept it (Enter) or cancel it (Esc) first.");
      return null;
    }
    if (!item) this.desk.notice(otherwise);
    return item;
  }

  /** Whether the server knows every mask of this frame, which may take a moment. */
  private async saved(session: EditorSession): Promise<boolean> {
    const { journal, image } = session.options;
    journal.wake();
    if (journal.status().offline) {
      this.desk.notice("The server cannot be reached. Your masks are kept here; try again when it is back.");
      return false;
    }
    await journal.settled(image.id);
    if (journal.problemsOf(image.id).length === 0) return true;
    this.desk.notice("A mask of this frame needs your decision first: see below the list of masks.");
    return false;
  }

  private async begin(session: EditorSession, item: MaskItem): Promise<string | null> {
    const { server, video } = this.desk.options;
    let track: string | null = null;
    await this.ask(async () => {
      track = (await server.beginTrack(video, session.serverId(item.id))).id;
      this.tell(session, item.id, track);
    });
    return track;
  }

  /** The mask as it is here, with the track that the server has given it. */
  private tell(session: EditorSession, id: string, track: string | null): void {
    const item = session.store.mask(id);
    if (item) session.store.setMask(id, { ...item, track }, "remote");
  }

  /** Asks the server, and then what the tracks are; says what it refused. */
  private async ask(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.desk.notice(messageOf(error));
    }
    await this.desk.refresh();
  }
}
