import type { Box, ImagePoint, ScreenPoint, Size } from "../core/geometry";

/** One pointer event in both frames. */
export interface ToolPointer {
  readonly screen: ScreenPoint;
  readonly image: ImagePoint;
  readonly inside: boolean;
  readonly button: "left" | "right";
  readonly alt: boolean;
  readonly touch: boolean;
}

/** What tools may do to the editor. They know nothing else of it. */
export interface ToolContext {
  readonly imageSize: () => Size;
  readonly addPoint: (point: ImagePoint, label: 0 | 1) => void;
  readonly setBox: (box: Box) => void;
  readonly stroke: (points: readonly ImagePoint[], value: 0 | 1) => void;
  /** Shows a stroke that is still being drawn; null takes it off. */
  readonly previewStroke: (points: readonly ImagePoint[] | null, value: 0 | 1) => void;
  readonly hover: (point: ImagePoint | null) => void;
  /** Selects the mask under the point, or nothing. */
  readonly selectAt: (point: ImagePoint) => void;
  readonly brushRadius: () => number;
  /** Whether a touch, which has no second button, removes instead of adds. */
  readonly removing: () => boolean;
  readonly repaint: () => void;
}

/** Shapes a tool wants drawn over the image, in image pixels. */
export type OverlayShape =
  | { readonly kind: "box"; readonly box: Box }
  | { readonly kind: "circle"; readonly at: ImagePoint; readonly radius: number }
  | { readonly kind: "crosshair"; readonly at: ImagePoint };

/**
 * A tool is a small state chart: named states, and in each the events it answers with the next state. What a state
 * does not name leaves it where it is, so a tool can never end up between two states.
 */
export interface Tool {
  readonly id: string;
  readonly cursor: string;
  readonly state: () => string;
  down(pointer: ToolPointer): void;
  move(pointer: ToolPointer): void;
  up(pointer: ToolPointer): void;
  leave(): void;
  /** Gives up what is half done. True when there was something. */
  cancel(): boolean;
  overlay(): OverlayShape[];
}

export type ToolEvent = "down" | "move" | "up" | "leave" | "cancel";
export type Chart<State extends string> = {
  readonly [S in State]: { readonly [E in ToolEvent]?: (pointer: ToolPointer | null) => State };
};

/** Runs a chart. */
export class Machine<State extends string> {
  constructor(
    private current: State,
    private readonly chart: Chart<State>,
  ) {}

  get state(): State {
    return this.current;
  }

  send(event: ToolEvent, pointer: ToolPointer | null): void {
    const handler = this.chart[this.current][event];
    if (handler) this.current = handler(pointer);
  }
}
