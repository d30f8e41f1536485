import { screenDistance } from "../core/geometry";
import { Machine, previewing, removes, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

/** A finger that travels further than this, in CSS pixels, was panning. */
const TAP_SLACK = 10;

type State = "idle" | "touching";

/** Left click adds, right click or Alt + click removes. A mouse acts when pressed, a finger when lifted. */
export function createClickTool(context: ToolContext): Tool {
  let start: ToolPointer | null = null;
  const label = (pointer: ToolPointer): 0 | 1 => (removes(pointer, context.removing()) ? 0 : 1);
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
      ...previewing(context, "idle"),
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
  return toolOf("click", machine, { cursor: "crosshair" });
}
