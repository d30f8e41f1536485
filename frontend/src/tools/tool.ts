import type { Box, ImagePoint, ScreenPoint, Size } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import type { StrokePoint } from "../core/patch";

/** One pointer event in both frames: of a mouse, a finger, a pen, or the crosshair that keys move. */
export interface ToolPointer {
  readonly screen: ScreenPoint;
  readonly image: ImagePoint;
  readonly inside: boolean;
  readonly button: "left" | "right";
  readonly alt: boolean;
  readonly shift: boolean;
  readonly touch: boolean;
  /** 0..1 of a pen, where people want it to count; else 1. */
  readonly pressure: number;
}

/** What a closed outline is for: a rough mask for the model, or an area to add or to take away as it is. */
export type OutlineUse = "model" | "add" | "remove";

/** What tools may do to the editor. They know nothing else of it. */
export interface ToolContext {
  readonly imageSize: () => Size;
  /** CSS pixels per image pixel. */
  readonly scale: () => number;
  readonly addPoint: (point: ImagePoint, label: 0 | 1) => void;
  readonly scribble: (points: readonly ImagePoint[], label: 0 | 1) => void;
  readonly setBox: (box: Box) => void;
  readonly outline: (points: readonly ImagePoint[], use: OutlineUse) => void;
  readonly stroke: (points: readonly StrokePoint[], value: 0 | 1) => void;
  /** Shows a stroke that is still being drawn; null takes it off. */
  readonly previewStroke: (points: readonly StrokePoint[] | null, value: 0 | 1) => void;
  readonly hover: (point: ImagePoint | null) => void;
  /** Selects the mask under the point, or nothing; `more` adds it to what is selected. */
  readonly selectAt: (point: ImagePoint, more: boolean) => void;
  /** Proposals of "segment everything": the one under the point is looked at, taken or waved away. */
  readonly pointAtProposal: (point: ImagePoint | null) => void;
  readonly takeProposal: (point: ImagePoint) => void;
  readonly dismissProposal: (point: ImagePoint) => void;
  /** Shows a measured distance; null takes it off. */
  readonly measure: (from: ImagePoint | null, to: ImagePoint | null) => void;
  readonly brushRadius: () => number;
  /** Whether the plain gesture removes instead of adds: for those who have no second button. */
  readonly removing: () => boolean;
  /** What the outline tools do with an area when nothing says otherwise. */
  readonly outlineUse: () => OutlineUse;
  /** Whether people want to work by clicks alone, without holding a button down. */
  readonly clickOnly: () => boolean;
  /** Whether a mask is in the making. */
  readonly drafting: () => boolean;
  readonly repaint: () => void;
}

export type ToolEvent = "down" | "move" | "up" | "leave" | "cancel" | "finish" | "back";

type Handler<State extends string> = (pointer: ToolPointer | null) => State;

export type Chart<State extends string> = {
  readonly [S in State]: { readonly [E in ToolEvent]?: Handler<State> };
};

/** Runs a chart; `changed` is told of every new state once it holds. */
export class Machine<State extends string> {
  constructor(
    private current: State,
    private readonly chart: Chart<State>,
    private readonly changed: () => void = () => undefined,
  ) {}

  get state(): State {
    return this.current;
  }

  /** Whether the state has an answer to the event. */
  send(event: ToolEvent, pointer: ToolPointer | null): boolean {
    const handler = this.chart[this.current][event];
    if (!handler) return false;
    const before = this.current;
    this.current = handler(pointer);
    if (this.current !== before) this.changed();
    return true;
  }
}

/**
 * A tool is a small state chart: named states, and in each the events it answers with the next state. What a state
 * does not name leaves it where it is, so a tool can never end up between two states.
 */
export interface Tool {
  readonly id: string;
  readonly cursor: string;
  /** With the keys' crosshair: whether the tool is held down between one press and the next, as a brush is. */
  readonly holds: boolean;
  readonly state: () => string;
  down(pointer: ToolPointer): void;
  move(pointer: ToolPointer): void;
  up(pointer: ToolPointer): void;
  leave(): void;
  /** Gives up what is half done. True when there was something. */
  cancel(): boolean;
  /** Completes what is half done, such as an outline. True when there was something. */
  finish(): boolean;
  /** Takes back the last step of what is half done. True when there was one. */
  back(): boolean;
  overlay(): OverlayShape[];
}

interface ToolParts {
  readonly cursor: string;
  readonly holds?: boolean;
  readonly overlay?: () => OverlayShape[];
}

/** A tool from its chart. */
export function toolOf<State extends string>(id: string, machine: Machine<State>, parts: ToolParts): Tool {
  return {
    id,
    cursor: parts.cursor,
    holds: parts.holds ?? false,
    state: () => machine.state,
    down: (pointer) => void machine.send("down", pointer),
    move: (pointer) => void machine.send("move", pointer),
    up: (pointer) => void machine.send("up", pointer),
    leave: () => void machine.send("leave", null),
    cancel: () => machine.send("cancel", null),
    finish: () => machine.send("finish", null),
    back: () => machine.send("back", null),
    overlay: parts.overlay ?? (() => []),
  };
}

/** Shows what a click under the pointer would give, and stays in the state; a finger covers what it points at. */
export function previewing<State extends string>(context: ToolContext, state: State) {
  const show: Handler<State> = (pointer) => {
    context.hover(pointer?.inside && !pointer.touch ? pointer.image : null);
    return state;
  };
  return { move: show, leave: show };
}

/** Whether a gesture removes: the right button and Alt turn round what the tool does by itself. */
export function removes(pointer: ToolPointer, usually: boolean): boolean {
  return (pointer.button === "right" || pointer.alt) !== usually;
}
