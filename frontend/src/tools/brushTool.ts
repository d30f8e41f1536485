import type { ImagePoint } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import type { StrokePoint } from "../core/patch";
import { Machine, removes, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

type State = "idle" | "painting" | "lining";

/**
 * Brush (value 1) and eraser (value 0). Alt or the right button turns one into the other for a stroke. Shift + click
 * paints a straight line from where the last stroke ended; for people who work by clicks alone every click does.
 */
export function createBrushTool(id: "brush" | "eraser", context: ToolContext): Tool {
  let points: StrokePoint[] = [];
  let value: 0 | 1 = 1;
  let at: ImagePoint | null = null;
  let last: StrokePoint | null = null;
  const usual = (): 0 | 1 => ((id === "eraser") === context.removing() ? 1 : 0);
  /** Where a straight line would begin. A mask that was accepted or given up meanwhile leaves no end to go on from. */
  const anchor = () => (context.drafting() ? last : null);
  const pointOf = (pointer: ToolPointer): StrokePoint => ({
    x: pointer.image.x,
    y: pointer.image.y,
    pressure: pointer.pressure,
  });
  const track = (pointer: ToolPointer | null) => {
    at = pointer?.image ?? null;
    context.repaint();
  };
  const stop = (): State => {
    points = [];
    context.previewStroke(null, value);
    return "idle";
  };
  const extend = (pointer: ToolPointer) => {
    const before = points.at(-1);
    // Below half a pixel nothing changes in the mask.
    if (!before || Math.hypot(pointer.image.x - before.x, pointer.image.y - before.y) >= 0.5) {
      points = [...points, pointOf(pointer)];
    }
    context.previewStroke(points, value);
  };
  const line = (pointer: ToolPointer) => {
    points = [...points.slice(0, 1), pointOf(pointer)];
    context.previewStroke(points, value);
  };
  const paint = (): State => {
    const drawn = points;
    const state = stop();
    last = drawn.at(-1) ?? null;
    context.stroke(drawn, value);
    return state;
  };
  const giveUp = (): State => {
    last = null;
    return stop();
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (!pointer) return "idle";
        value = removes(pointer, usual() === 0) ? 0 : 1;
        const from = pointer.shift || context.clickOnly() ? anchor() : null;
        points = from ? [from] : [];
        track(pointer);
        if (from) line(pointer);
        else extend(pointer);
        return from ? "lining" : "painting";
      },
      move: (pointer) => {
        track(pointer);
        const from = pointer && (pointer.shift || context.clickOnly()) ? anchor() : null;
        context.previewStroke(from && pointer ? [from, pointOf(pointer)] : null, usual());
        return "idle";
      },
      leave: () => {
        track(null);
        context.previewStroke(null, value);
        return "idle";
      },
    },
    painting: {
      move: (pointer) => {
        track(pointer);
        // By clicks alone the way between two clicks is not painted.
        if (pointer && !context.clickOnly()) extend(pointer);
        return "painting";
      },
      up: paint,
      cancel: giveUp,
      back: giveUp,
    },
    lining: {
      move: (pointer) => {
        track(pointer);
        if (pointer) line(pointer);
        return "lining";
      },
      up: paint,
      cancel: giveUp,
      back: giveUp,
    },
  });
  const overlay = (): OverlayShape[] => (at ? [{ kind: "circle", at, radius: context.brushRadius() }] : []);
  return toolOf(id, machine, { cursor: "none", holds: true, overlay });
}
