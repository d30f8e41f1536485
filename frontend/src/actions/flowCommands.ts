import type { EditorSession } from "./editorSession";
import type { Command } from "./registry";

const selected = (session: EditorSession) => session.selected !== null;
const onSelected = (run: (session: EditorSession, id: string) => void): Command["run"] => {
  return (session) => {
    if (session.selectedId) run(session, session.selectedId);
  };
};

/** Selects the next mask of the list: +1 is further down in it, which is lower on the picture. */
function step(session: EditorSession, by: 1 | -1): void {
  const list = session.layout.listed().toReversed();
  if (list.length === 0) return;
  const at = list.findIndex((item) => item.id === session.selectedId);
  const next = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length];
  if (next) session.select(next.id);
}

/** Commands on the list of masks, the way through the queue, and the view. */
export const FLOW_COMMANDS: readonly Command[] = [
  { id: "mask.next", label: "Select the next mask", group: "Mask", keys: ["PageDown"], run: (s) => step(s, 1) },
  { id: "mask.previous", label: "Select the mask before", group: "Mask", keys: ["PageUp"], run: (s) => step(s, -1) },
  {
    id: "mask.lock",
    label: "Lock or unlock the selected mask",
    group: "Mask",
    keys: ["Shift+L"],
    enabled: selected,
    run: onSelected((session, id) => session.masks.setLocked([id], !session.layout.locked.has(id))),
  },
  {
    id: "mask.hide",
    label: "Hide or show the selected mask",
    group: "Mask",
    keys: ["Alt+H"],
    enabled: selected,
    run: onSelected((session, id) => session.toggleHidden(id)),
  },
  {
    id: "mask.raise",
    label: "Move the selected mask up",
    group: "Mask",
    keys: ["Ctrl+ArrowUp"],
    enabled: selected,
    run: onSelected((session, id) => session.masks.move(id, 1)),
  },
  {
    id: "mask.lower",
    label: "Move the selected mask down",
    group: "Mask",
    keys: ["Ctrl+ArrowDown"],
    enabled: selected,
    run: onSelected((session, id) => session.masks.move(id, -1)),
  },
  {
    id: "mask.duplicate",
    label: "Duplicate the selected mask",
    group: "Mask",
    keys: ["Ctrl+D"],
    enabled: selected,
    run: onSelected((session, id) => session.masks.duplicate(id)),
  },
  {
    id: "mask.keep",
    label: "Keep the selected proposal",
    group: "Mask",
    keys: ["K"],
    enabled: (session) => session.selected?.status === "proposed",
    run: onSelected((session, id) => session.masks.keep([id])),
  },
  {
    id: "mask.keepAll",
    label: "Keep all proposals",
    group: "Mask",
    keys: ["Shift+K"],
    enabled: (session) => session.layout.listed().some((item) => item.status === "proposed"),
    run: (session) => session.masks.keep(session.layout.listed().map((item) => item.id)),
  },
  {
    id: "mask.history",
    label: "History and comparison of the selected mask",
    group: "Mask",
    keys: ["Shift+H"],
    enabled: selected,
    run: (_session, page) => page.history(),
  },
  {
    id: "image.back",
    label: "Back to the image before",
    group: "Image",
    keys: ["Ctrl+ArrowLeft"],
    run: (_session, page) => page.along(-1),
  },
  {
    id: "image.forward",
    label: "Forward again",
    group: "Image",
    keys: ["Ctrl+ArrowRight"],
    run: (_session, page) => page.along(1),
  },
  {
    id: "tool.ruler",
    label: "Ruler: measure a distance",
    group: "Tools",
    keys: ["Shift+R"],
    run: (session) => session.setTool("ruler"),
  },
  {
    id: "view.picture",
    label: "Brightness, contrast, channels, grid",
    group: "View",
    keys: ["I"],
    run: (_session, page) => page.toggleView(),
  },
  {
    id: "view.minimap",
    label: "Show or hide the overview",
    group: "View",
    keys: ["O"],
    run: ({ options: { view } }) => view.set({ minimap: !view.current.minimap }),
  },
  {
    id: "view.split",
    label: "Divide the image: masks as first made, and now",
    group: "View",
    keys: ["Shift+B"],
    run: (session) => void session.split.toggle(),
  },
  {
    id: "view.grid",
    label: "Show or hide the grid",
    group: "View",
    keys: ["Shift+G"],
    run: ({ options: { view } }) => view.set({ grid: view.current.grid > 0 ? 0 : 100 }),
  },
];
