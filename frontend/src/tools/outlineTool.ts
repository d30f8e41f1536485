import { clampToImage, type ImagePoint, type ScreenPoint, screenDistance } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import { type Chart, Machine, type OutlineUse, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

/** Less travel than this, in CSS pixels, was a click: it sets a corner. */
const CLICK_SLACK = 5;
/** A click this near the first corner, in CSS pixels, closes the outline. */
const CLOSE_REACH = 9;

type State = "idle" | "drawing" | "placing" | "pressing";

/**
 * A closed outline, drawn in one go (press, draw, let go) or corner by corner (click; Enter, a double click or a click
 * on the first corner closes; Backspace takes back the last). Lasso and polygon are this tool; they differ in what the
 * area is usually for. The right button or Alt at the beginning takes the area away.
 */
export function createOutlineTool(id: "lasso" | "polygon", context: ToolContext): Tool {
  let points: ImagePoint[] = [];
  /** Where each step began, in `points`: the corners, and the beginnings of freehand stretches. */
  let steps: number[] = [];
  let at: ImagePoint | null = null;
  let pressedAt: ScreenPoint | null = null;
  let travelled = false;
  let use: OutlineUse = "add";

  const add = (pointer: ToolPointer) => {
    const point = clampToImage(pointer.image, context.imageSize());
    const last = points.at(-1);
    // A double click has its second press where the first was.
    if (!last || distance(last, point) >= 1) points = [...points, point];
  };
  const distance = (a: ImagePoint, b: ImagePoint) => Math.hypot(a.x - b.x, a.y - b.y) * context.scale();
  const press = (pointer: ToolPointer) => {
    pressedAt = pointer.screen;
    travelled = false;
    steps = [...steps, points.length];
    add(pointer);
    track(pointer);
  };
  const track = (pointer: ToolPointer | null) => {
    at = pointer ? clampToImage(pointer.image, context.imageSize()) : null;
    context.repaint();
  };
  const draw = (pointer: ToolPointer | null) => {
    if (!pointer || !pressedAt) return;
    travelled ||= screenDistance(pointer.screen, pressedAt) >= CLICK_SLACK;
    if (travelled && !context.clickOnly()) add(pointer);
    track(pointer);
  };
  const reset = (): State => {
    points = [];
    steps = [];
    context.repaint();
    return "idle";
  };
  const close = (): State => {
    const drawn = points;
    const state = reset();
    if (drawn.length >= 3) context.outline(drawn, use);
    return state;
  };
  const back = (): State => {
    points = points.slice(0, steps.at(-1) ?? 0);
    steps = steps.slice(0, -1);
    context.repaint();
    return points.length > 0 ? "placing" : reset();
  };

  const chart: Chart<State> = {
    idle: {
      down: (pointer) => {
        if (!pointer) return "idle";
        context.hover(null);
        use = pointer.button === "right" || pointer.alt ? "remove" : context.outlineUse();
        press(pointer);
        return "drawing";
      },
      move: (pointer) => {
        track(pointer);
        return "idle";
      },
    },
    drawing: {
      move: (pointer) => {
        draw(pointer);
        return "drawing";
      },
      up: () => (travelled && !context.clickOnly() ? close() : "placing"),
      cancel: reset,
      back,
    },
    placing: {
      move: (pointer) => {
        track(pointer);
        return "placing";
      },
      down: (pointer) => {
        const first = points[0];
        if (!pointer || !first) return "placing";
        if (points.length >= 3 && distance(first, pointer.image) <= CLOSE_REACH) return close();
        press(pointer);
        return "pressing";
      },
      finish: close,
      back,
      cancel: reset,
    },
    pressing: {
      move: (pointer) => {
        draw(pointer);
        return "pressing";
      },
      up: () => "placing",
      cancel: reset,
      back,
    },
  };
  const machine = new Machine<State>("idle", chart, context.repaint);

  const overlay = (): OverlayShape[] => {
    if (points.length === 0) return at ? [{ kind: "crosshair", at }] : [];
    const open = machine.state === "placing" && at ? [...points, at] : points;
    const corners = steps.map((step) => points[step]).filter((point): point is ImagePoint => point !== undefined);
    return [{ kind: "outline", points: open, corners, removes: use === "remove" }];
  };
  return toolOf(id, machine, { cursor: "crosshair", overlay });
}
