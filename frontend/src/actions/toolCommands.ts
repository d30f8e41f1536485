import type { EditorSession, ToolId } from "./editorSession";
import type { Command } from "./registry";

const BRUSH_STEP = 1.2;

/** Asks the grid, once; what was found to be like something goes. */
export function segmentEverything(session: EditorSession): void {
  session.setTool("proposals");
  if (session.alike.sought) {
    session.alike.forget();
    session.proposals.reset();
  }
  void session.proposals.run();
}

/** Looks for everything like the selected masks, and offers it. */
export function findAlike(session: EditorSession): void {
  const examples = session.selection.map((item) => session.serverId(item.id));
  if (examples.length === 0) return;
  session.setTool("proposals");
  void session.alike.find({ examples });
}

const tool = (id: ToolId, label: string, key: string): Command => ({
  id: `tool.${id}`,
  label,
  group: "Tools",
  keys: [key],
  run: (session) => session.setTool(id),
});

const canWork = (session: EditorSession) => session.pixels.possible;

const pixels = (id: string, label: string, key: string, run: (session: EditorSession) => void): Command => ({
  id: `pixels.${id}`,
  label,
  group: "Pixels",
  keys: [key],
  enabled: canWork,
  run,
});

const ARROWS = [
  ["left", "ArrowLeft", -1, 0],
  ["right", "ArrowRight", 1, 0],
  ["up", "ArrowUp", 0, -1],
  ["down", "ArrowDown", 0, 1],
] as const;

export const TOOL_COMMANDS: readonly Command[] = [
  tool("click", "Click: left adds, right removes", "C"),
  tool("box", "Box", "R"),
  tool("scribble", "Scribble over the object", "S"),
  tool("lasso", "Lasso: a rough outline for the model", "L"),
  {
    id: "tool.proposals",
    label: "Segment everything, then pick",
    group: "Tools",
    keys: ["G"],
    enabled: (session) => session.readiness.state === "ready",
    run: segmentEverything,
  },
  {
    id: "tool.alike",
    label: "Everything like the selected masks, then pick",
    group: "Tools",
    keys: ["J"],
    enabled: (session) => session.selected !== null && session.readiness.state === "ready",
    run: findAlike,
  },
  tool("brush", "Brush", "B"),
  tool("eraser", "Eraser", "E"),
  tool("polygon", "Polygon: an area as drawn", "P"),
  {
    id: "tool.polygonRemove",
    label: "Polygon that takes away",
    group: "Tools",
    keys: ["Shift+E"],
    run: (session) => {
      session.setTool("polygon");
      session.setOutlineUse("remove");
    },
  },
  tool("select", "Select a mask", "V"),
  {
    id: "tool.swap",
    label: "Swap adding and removing",
    group: "Tools",
    keys: ["X"],
    run: (session) => {
      session.setRemoving(!session.removing);
      session.notices.emit(session.removing ? "The plain click removes now." : "The plain click adds now.");
    },
  },
  {
    id: "brush.smaller",
    label: "Smaller brush",
    group: "Tools",
    keys: ["["],
    repeats: true,
    run: (session) => session.growBrush(1 / BRUSH_STEP),
  },
  {
    id: "brush.larger",
    label: "Larger brush",
    group: "Tools",
    keys: ["]"],
    repeats: true,
    run: (session) => session.growBrush(BRUSH_STEP),
  },
];

export const PIXEL_COMMANDS: readonly Command[] = [
  pixels("refine", "Let the model refine it", "M", (session) => {
    if (session.mayChange()) session.drafting.refine(session.selected);
  }),
  pixels("fill", "Fill holes", "Shift+F", (session) => session.pixels.fillHoles()),
  pixels("islands", "Remove islands", "Shift+I", (session) => session.pixels.removeIslands()),
  pixels("smooth", "Smooth the edge", "Shift+S", (session) => session.pixels.smooth()),
  pixels("grow", "Grow", ">", (session) => session.pixels.grow()),
  pixels("shrink", "Shrink", "<", (session) => session.pixels.shrink()),
  pixels("cut", "Cut it out of the other masks", "Shift+X", (session) => session.pixels.cutOutOfOthers()),
  pixels("yield", "Take the other masks away from it", "Shift+Y", (session) => session.pixels.takeOthersAway()),
  pixels("split", "Split its parts into masks", "Shift+P", (session) => session.pixels.split()),
  pixels("merge", "Merge the selected masks", "Shift+J", (session) => session.pixels.merge()),
];

export const CURSOR_COMMANDS: readonly Command[] = [
  ...ARROWS.map(
    ([name, key, dx, dy]): Command => ({
      id: `cursor.${name}`,
      label: `Crosshair ${name}`,
      group: "Crosshair",
      keys: [key],
      repeats: true,
      run: (session) => session.cursor.step(dx, dy, false),
    }),
  ),
  ...ARROWS.map(
    ([name, key, dx, dy]): Command => ({
      id: `cursor.far.${name}`,
      label: `Crosshair far ${name}`,
      group: "Crosshair",
      keys: [`Shift+${key}`],
      repeats: true,
      run: (session) => session.cursor.step(dx, dy, true),
    }),
  ),
  {
    id: "cursor.press",
    label: "Click at the crosshair; brush down, brush up",
    group: "Crosshair",
    keys: ["Space"],
    enabled: (session) => session.cursor.visible,
    run: (session) => session.cursor.press("left"),
  },
  {
    id: "cursor.pressRight",
    label: "Right click at the crosshair",
    group: "Crosshair",
    keys: ["Shift+Space"],
    enabled: (session) => session.cursor.visible,
    run: (session) => session.cursor.press("right"),
  },
];
