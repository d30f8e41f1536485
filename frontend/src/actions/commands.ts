import { screenPoint } from "../core/geometry";
import { actualSize, fitImage } from "../core/viewport";
import type { EditorSession } from "./editorSession";
import { FLOW_COMMANDS } from "./flowCommands";
import { FRAME_COMMANDS } from "./frameCommands";
import type { Command, Page } from "./registry";
import { CURSOR_COMMANDS, PIXEL_COMMANDS, TOOL_COMMANDS } from "./toolCommands";

const ZOOM_STEP = 1.25;
const PAN_STEP = 60;

const centre = (session: EditorSession) => screenPoint(session.canvas.width / 2, session.canvas.height / 2);

const candidate = (place: number): Command => ({
  id: `candidate.${place}`,
  label: `Choose candidate ${place}`,
  group: "Mask",
  keys: [String(place)],
  enabled: (session) => session.drafting.busy || session.drafting.candidates.length >= place,
  run: (session) => session.drafting.choose(place - 1),
});

const pan = (id: string, label: string, key: string, dx: number, dy: number): Command => ({
  id: `view.${id}`,
  label,
  group: "View",
  keys: [key],
  repeats: true,
  run: (session) => session.pan(dx * PAN_STEP, dy * PAN_STEP),
});

const hasDraft = (session: EditorSession) => !session.drafting.empty;
const hasSelection = (session: EditorSession) => session.selected !== null;
/** Whether a tool is half-way through a gesture of several steps, such as an outline. */
const midway = (session: EditorSession) => session.tool.state() !== "idle";

/** Every command of the editor. The help page, the key handler and the buttons read this table. */
export const COMMANDS: readonly Command[] = [
  {
    id: "mask.accept",
    label: "Accept the mask; close an outline",
    group: "Mask",
    keys: ["Enter", "N"],
    enabled: (session) => hasDraft(session) || midway(session),
    run: (session) => {
      if (!session.tool.finish()) session.accept();
    },
  },
  { id: "mask.cancel", label: "Cancel", group: "Mask", keys: ["Escape"], run: (session) => session.cancel() },
  {
    id: "mask.undo",
    label: "Undo",
    group: "Mask",
    keys: ["Ctrl+Z"],
    repeats: true,
    enabled: (session) => session.history.undoLabel !== null || midway(session),
    run: (session) => {
      if (!session.tool.back()) session.undo();
    },
  },
  {
    id: "mask.redo",
    label: "Redo",
    group: "Mask",
    keys: ["Ctrl+Shift+Z", "Ctrl+Y"],
    repeats: true,
    enabled: (session) => session.history.redoLabel !== null,
    run: (session) => session.redo(),
  },
  {
    id: "candidate.next",
    label: "Next candidate",
    group: "Mask",
    keys: ["Tab"],
    repeats: true,
    enabled: (session) => session.drafting.candidates.length > 1,
    run: (session) => session.drafting.cycle(1),
  },
  {
    id: "candidate.previous",
    label: "Previous candidate",
    group: "Mask",
    keys: ["Shift+Tab"],
    repeats: true,
    enabled: (session) => session.drafting.candidates.length > 1,
    run: (session) => session.drafting.cycle(-1),
  },
  candidate(1),
  candidate(2),
  candidate(3),
  candidate(4),
  {
    id: "mask.delete",
    label: "Delete the selected masks; take back a corner",
    group: "Mask",
    keys: ["Delete", "Backspace"],
    enabled: (session) => hasSelection(session) || midway(session),
    run: (session) => {
      if (session.tool.back()) return;
      session.history.gesture("Delete masks", () => {
        for (const item of session.selection) session.masks.delete(item.id);
      });
    },
  },
  {
    id: "mask.correct",
    label: "Correct the selected mask",
    group: "Mask",
    keys: ["Q"],
    enabled: hasSelection,
    run: (session) => session.selectedId && session.correct(session.selectedId),
  },

  ...TOOL_COMMANDS,
  ...PIXEL_COMMANDS,
  ...CURSOR_COMMANDS,

  { id: "view.hide", label: "Hide or show all masks", group: "View", keys: ["H"], run: (s) => s.toggleAllHidden() },
  {
    id: "view.fit",
    label: "Fit the image",
    group: "View",
    keys: ["F", "0"],
    run: (session) => session.setView(fitImage(session.size, session.canvas)),
  },
  {
    id: "view.actual",
    label: "One image pixel per point",
    group: "View",
    keys: ["Ctrl+0"],
    run: (session) => session.setView(actualSize(session.size, session.canvas)),
  },
  {
    id: "view.in",
    label: "Zoom in",
    group: "View",
    keys: ["+", "="],
    repeats: true,
    run: (session) => session.zoom(centre(session), ZOOM_STEP),
  },
  {
    id: "view.out",
    label: "Zoom out",
    group: "View",
    keys: ["-"],
    repeats: true,
    run: (session) => session.zoom(centre(session), 1 / ZOOM_STEP),
  },
  pan("left", "Look further left", "Ctrl+Shift+ArrowLeft", 1, 0),
  pan("right", "Look further right", "Ctrl+Shift+ArrowRight", -1, 0),
  pan("up", "Look further up", "Ctrl+Shift+ArrowUp", 0, 1),
  pan("down", "Look further down", "Ctrl+Shift+ArrowDown", 0, -1),

  ...FLOW_COMMANDS,
  ...FRAME_COMMANDS,

  {
    id: "image.submit",
    label: "Submit this image and open the next",
    group: "Image",
    keys: ["Ctrl+Enter"],
    enabled: (session) => session.editable,
    run: (_session, page: Page) => page.submit("done"),
  },
  {
    id: "image.nothing",
    label: "Nothing to mask here",
    group: "Image",
    keys: ["Ctrl+Shift+Enter"],
    enabled: (session) => session.editable,
    run: (_session, page) => page.submit("nothing_left"),
  },
  {
    id: "image.skip",
    label: "Skip with a reason",
    group: "Image",
    keys: ["Ctrl+Space"],
    enabled: (session) => session.editable,
    run: (_session, page) => page.skip(),
  },
  {
    id: "image.save",
    label: "Send waiting masks now",
    group: "Image",
    keys: ["Ctrl+S"],
    run: (session) => session.options.journal.wake(),
  },
  {
    id: "image.leave",
    label: "Back to the dataset",
    group: "Image",
    keys: ["Alt+ArrowLeft"],
    run: (_s, p) => p.leave(),
  },

  {
    id: "help.keys",
    label: "Show all keys",
    group: "Help",
    keys: ["?", "F1"],
    run: (_session, page) => page.toggleHelp(),
  },
  {
    id: "help.settings",
    label: "Keys and ways of working",
    group: "Help",
    keys: ["Ctrl+,"],
    run: (_session, page) => page.openSettings(),
  },
  {
    id: "help.panel",
    label: "Show measured times",
    group: "Help",
    keys: ["Ctrl+Shift+L"],
    run: (_session, page) => page.togglePanel(),
  },
];

export const COMMANDS_BY_ID: ReadonlyMap<string, Command> = new Map(COMMANDS.map((command) => [command.id, command]));
