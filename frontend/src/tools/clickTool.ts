import { screenDistance } from "../core/geometry";
import { Machine, type OverlayShape, type Tool, type ToolContext, type ToolPointer } from "./tool";

/** A finger that travels further than this, in CSS pixels, was panning. */
const TAP_SLACK = 10;

type State = "idle" | "touching";

/** Left click adds, right click or Alt + click removes. A mouse acts when pressed, a finger when lifted. */
export function createClickTool(context: ToolContext): Tool {
  let start: ToolPointer | null = null;
  const label = (pointer: ToolPointer): 0 | 1 => {
    const other = pointer.button === "right" || pointer.alt;
    return other !== (pointer.touch && context.removing()) ? 0 : 1;
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (!pointer?.inside) return "idle";
        if (pointer.touch) {
          start = pointer;
          return "touching";
        }
        context.addPoint(pointer.image, label(pointer));
        return "idle";
      },
      move: (pointer) => {
        context.hover(pointer?.inside && !pointer.touch ? pointer.image : null);
        return "idle";
      },
      leave: () => {
        context.hover(null);
        return "idle";
      },
    },
    touching: {
      move: (pointer) => {
        const moved = pointer && start && screenDistance(pointer.screen, start.screen) > TAP_SLACK;
        return moved ? "idle" : "touching";
      },
      up: (pointer) => {
        if (pointer && start) context.addPoint(start.image, label(pointer));
        return "idle";
      },
      leave: () => "idle",
      cancel: () => "idle",
    },
  });
  return {
    id: "click",
    cursor: "crosshair",
    state: () => machine.state,
    down: (pointer) => machine.send("down", pointer),
    move: (pointer) => machine.send("move", pointer),
    up: (pointer) => machine.send("up", pointer),
    leave: () => machine.send("leave", null),
    cancel: () => {
      const busy = machine.state !== "idle";
      machine.send("cancel", null);
      return busy;
    },
    overlay: (): OverlayShape[] => [],
  };
}
