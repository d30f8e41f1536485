import { clampToImage, screenDistance } from "../core/geometry";
import { Machine, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

/** Less travel than this, in CSS pixels, was a click: it sets one end and the next click the other. */
const CLICK_SLACK = 5;

type State = "idle" | "dragging" | "open";

/** Measures a distance by dragging, or by two clicks. It changes no mask. */
export function createRulerTool(context: ToolContext): Tool {
  let start: ToolPointer | null = null;
  const reach = (pointer: ToolPointer | null) => {
    if (!pointer || !start) return;
    const size = context.imageSize();
    context.measure(clampToImage(start.image, size), clampToImage(pointer.image, size));
  };
  const follow = (state: State) => (pointer: ToolPointer | null) => {
    reach(pointer);
    return state;
  };
  const forget = (): State => {
    start = null;
    context.measure(null, null);
    return "idle";
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (pointer?.button !== "left") return "idle";
        start = pointer;
        return "dragging";
      },
    },
    dragging: {
      move: follow("dragging"),
      up: (pointer) => {
        const clicked = pointer && start && screenDistance(pointer.screen, start.screen) < CLICK_SLACK;
        if (!clicked) reach(pointer);
        return clicked ? "open" : "idle";
      },
      cancel: forget,
      back: forget,
    },
    open: { move: follow("open"), up: follow("idle"), cancel: forget, back: forget },
  });
  return toolOf("ruler", machine, { cursor: "crosshair" });
}
