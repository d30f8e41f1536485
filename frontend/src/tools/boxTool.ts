import { boxFromCorners, boxHeight, boxWidth, clampToImage, type ImagePoint, screenDistance } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import { Machine, type Tool, type ToolContext, type ToolPointer, toolOf } from "./tool";

/** Less travel than this, in CSS pixels, was a click: it sets one corner and the next click the other. */
const CLICK_SLACK = 5;

type State = "idle" | "dragging" | "corner" | "closing";

/** A box by dragging, or without any drag by clicking two opposite corners. */
export function createBoxTool(context: ToolContext): Tool {
  let start: ToolPointer | null = null;
  let at: ImagePoint | null = null;
  const track = (pointer: ToolPointer | null) => {
    if (pointer) at = clampToImage(pointer.image, context.imageSize());
    context.repaint();
  };
  const box = () => (start && at ? boxFromCorners(start.image, at, context.imageSize()) : null);
  const reset = (): State => {
    start = null;
    context.repaint();
    return "idle";
  };
  const finish = (): State => {
    const drawn = box();
    const state = reset();
    if (drawn && boxWidth(drawn) >= 1 && boxHeight(drawn) >= 1) context.setBox(drawn);
    return state;
  };
  /** Follows the pointer and stays. */
  const follow = (state: State) => (pointer: ToolPointer | null) => {
    track(pointer);
    return state;
  };
  const machine = new Machine<State>("idle", {
    idle: {
      down: (pointer) => {
        if (pointer?.button !== "left") return "idle";
        start = { ...pointer, image: clampToImage(pointer.image, context.imageSize()) };
        context.hover(null);
        track(pointer);
        return "dragging";
      },
      move: follow("idle"),
      leave: () => {
        at = null;
        context.repaint();
        return "idle";
      },
    },
    dragging: {
      move: follow("dragging"),
      up: (pointer) => {
        track(pointer);
        const clicked = pointer && start && screenDistance(pointer.screen, start.screen) < CLICK_SLACK;
        return clicked ? "corner" : finish();
      },
      cancel: reset,
      back: reset,
    },
    corner: { move: follow("corner"), down: follow("closing"), cancel: reset, back: reset },
    closing: {
      move: follow("closing"),
      up: (pointer) => {
        track(pointer);
        return finish();
      },
      cancel: reset,
      back: reset,
    },
  });
  const overlay = (): OverlayShape[] => {
    const drawn = machine.state === "idle" ? null : box();
    if (drawn) return [{ kind: "box", box: drawn }];
    return at ? [{ kind: "crosshair", at }] : [];
  };
  return toolOf("box", machine, { cursor: "crosshair", overlay });
}
