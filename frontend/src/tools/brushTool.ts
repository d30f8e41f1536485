import type { ImagePoint } from "../core/geometry";
import { Machine, type OverlayShape, type Tool, type ToolContext, type ToolPointer } from "./tool";

type State = "idle" | "painting";

/** Brush (value 1) and eraser (value 0). Alt or the right button turns one into the other for a stroke. */
export function createBrushTool(id: "brush" | "eraser", context: ToolContext): Tool {
  const usual: 0 | 1 = id === "brush" ? 1 : 0;
  let points: ImagePoint[] = [];
  let value: 0 | 1 = usual;
  let at: ImagePoint | null = null;
  const stop = (): State => {
    points = [];
    context.previewStroke(null, value);
    return "idle";
  };
  const extend = (pointer: ToolPointer | null) => {
    at = pointer?.image ?? null;
    const last = points.at(-1);
    // Below half a pixel nothing changes in the mask.
    if (at && (!last || Math.hypot(at.x - last.x, at.y - last.y) >= 0.5)) points.push(at);
    context.previewStroke(points, value);
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (!pointer) return "idle";
        const swapped = pointer.alt || pointer.button === "right";
        value = swapped ? (usual === 1 ? 0 : 1) : usual;
        points = [];
        extend(pointer);
        return "painting";
      },
      move: (pointer) => {
        at = pointer?.image ?? null;
        context.repaint();
        return "idle";
      },
      leave: () => {
        at = null;
        context.repaint();
        return "idle";
      },
    },
    painting: {
      move: (pointer) => {
        extend(pointer);
        return "painting";
      },
      up: () => {
        const drawn = points;
        const drawnValue = value;
        const state = stop();
        context.stroke(drawn, drawnValue);
        return state;
      },
      cancel: stop,
    },
  });
  return {
    id,
    cursor: "none",
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
    overlay: (): OverlayShape[] => (at ? [{ kind: "circle", at, radius: context.brushRadius() }] : []),
  };
}
