import type { ImagePoint } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import { Machine, previewing, removes, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

type State = "idle" | "drawing";

/** A line drawn over an object (or, with the right button or Alt, over what does not belong to it), for the model. */
export function createScribbleTool(context: ToolContext): Tool {
  let points: readonly ImagePoint[] = [];
  let label: 0 | 1 = 1;
  const extend = (pointer: ToolPointer | null) => {
    if (pointer?.inside) points = [...points, pointer.image];
    context.repaint();
  };
  const stop = (): State => {
    points = [];
    context.repaint();
    return "idle";
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (!pointer?.inside) return "idle";
        label = removes(pointer, context.removing()) ? 0 : 1;
        context.hover(null);
        extend(pointer);
        return "drawing";
      },
      ...previewing(context, "idle"),
    },
    drawing: {
      move: (pointer) => {
        extend(pointer);
        return "drawing";
      },
      up: () => {
        const drawn = points;
        const state = stop();
        context.scribble(drawn, label);
        return state;
      },
      cancel: stop,
      back: stop,
    },
  });
  const overlay = (): OverlayShape[] => (points.length > 0 ? [{ kind: "line", points, removes: label === 0 }] : []);
  return toolOf("scribble", machine, { cursor: "crosshair", holds: true, overlay });
}
