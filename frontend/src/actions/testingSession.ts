import type { ImageRecord, MaskRecord, Task, User } from "../api/types";
import type { Draft } from "../core/draft";
import type { Size } from "../core/geometry";
import { Journal, type JournalOp } from "../core/journal";
import { Timings } from "../core/latency";
import { MemoryJournal } from "../core/memoryJournal";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import type { Segmenter } from "../segmenter/segmenter";
import { MemoryPersonal } from "../storage/database";
import { EditorSession } from "./editorSession";
import type { VideoDesk } from "./videoDesk";
import { ViewState } from "./viewState";

let users = 100;

interface Opened {
  readonly image: number;
  readonly user: number;
  readonly video: VideoDesk;
  readonly task: Task;
  readonly masks: readonly MaskRecord[];
  readonly segmenter: Segmenter;
  readonly drafts: MemoryPersonal<Draft>;
  /** What goes to the server is put here. */
  readonly sent: JournalOp[];
  /** Whether the canvas has its size already. */
  readonly measured: boolean;
}

/**
 * For tests: an editor without a browser, whose model can answer and whose server is away. Each has a person of
 * its own, so that nobody's preferences are another's.
 */
export function openSession(size: Size, part: Partial<Opened> = {}): EditorSession {
  const user: User = { id: part.user ?? users++, username: "ben", name: "Ben" };
  const session = new EditorSession({
    image: { id: part.image ?? 5, dataset: 1, ...size } as ImageRecord,
    loaded: { at: "2026-01-01T00:00:00Z", masks: [...(part.masks ?? [])], task: null },
    visit: null,
    stage: "assisted",
    user,
    task: part.task ?? null,
    mayEdit: true,
    segmenter: part.segmenter ?? new FakeSegmenter(size),
    journal: new Journal({
      store: new MemoryJournal(),
      userId: user.id,
      later: () => () => undefined,
      send: async (op) => {
        part.sent?.push(op);
        return { kind: "done" };
      },
    }),
    drafts: part.drafts ?? new MemoryPersonal(),
    visits: new MemoryPersonal(),
    timings: new Timings(),
    view: new ViewState({ getItem: () => null, setItem: () => undefined }),
    video: part.video ?? null,
    next: { finish: () => null },
  });
  session.flow.hold = { kind: "offline", message: "away" };
  session.drafting.setReady("fake");
  if (part.measured ?? true) session.setCanvas({ width: size.width + 48, height: size.height + 48 });
  return session;
}
