import { clamp, clampToImage, type ImagePoint, imagePoint, isInside, screenPoint } from "../core/geometry";
import { worksByClicks } from "../core/preferences";
import { toImage, toScreen } from "../core/viewport";
import type { ToolPointer } from "../tools/tool";
import type { EditorSession } from "./editorSession";

/** CSS pixels of one step, so that a step looks the same at any zoom; never less than one image pixel. */
const STEP = 8;
const LARGE_STEP = 64;
/** The picture moves along when the crosshair comes this near the canvas's edge, in CSS pixels. */
const MARGIN = 40;

/**
 * A crosshair moved by keys, which does with every tool what a mouse would. It appears with the first step and goes when
 * the mouse takes over.
 */
export class KeyCursor {
  /** In image pixels; null while it is not shown. */
  at: ImagePoint | null = null;
  /** Where the mouse was last, in image pixels: the crosshair begins there. */
  private lastPointer: ImagePoint | null = null;
  private pressed: "left" | "right" | null = null;

  constructor(private readonly session: EditorSession) {}

  get visible(): boolean {
    return this.at !== null;
  }

  /** Whether a tool is held down, as a brush between its first press and the next. */
  get held(): boolean {
    return this.pressed !== null;
  }

  /**
   * The mouse moved to a point of the image: the crosshair is no longer wanted. A tool that it holds down comes up where it
   * is: what was drawn may be undone, what a nudge of the mouse threw away could not be brought back.
   */
  leaveTo(pointer: ImagePoint): void {
    this.lastPointer = pointer;
    if (!this.at) return;
    this.lift();
    this.at = null;
    this.session.touch();
  }

  /** Steps in screen directions: dx right, dy down, each -1, 0 or 1. */
  step(dx: number, dy: number, large: boolean): void {
    const { session } = this;
    session.clock.activity();
    if (!this.at) {
      this.appear();
      return;
    }
    const by = Math.max(1, Math.round((large ? LARGE_STEP : STEP) / session.view.scale));
    const { x, y } = this.at;
    this.at = clampToImage(imagePoint(stepped(x, dx * by), stepped(y, dy * by)), session.size);
    this.keepInSight();
    session.tool.move(this.pointer(this.pressed ?? "left"));
    session.touch();
  }

  /** A press at the crosshair: a click, or for a tool that is held down its beginning and, the next time, its end. */
  press(button: "left" | "right"): void {
    const { session } = this;
    session.clock.activity();
    if (!this.at) {
      this.appear();
      return;
    }
    if (!this.lift()) {
      const pointer = this.pointer(button);
      session.tool.down(pointer);
      // By clicks alone a brush paints lines from press to press; it is not held down.
      if (session.tool.holds && !worksByClicks(session.preferences.current)) this.pressed = button;
      else session.tool.up(pointer);
    }
    session.touch();
  }

  /** Lets go without completing anything. */
  release(): void {
    this.pressed = null;
  }

  /** Ends what is held down, where the crosshair is. False when nothing was. */
  private lift(): boolean {
    const { pressed } = this;
    if (!pressed) return false;
    this.pressed = null;
    this.session.tool.up(this.pointer(pressed));
    return true;
  }

  private appear(): void {
    const { session } = this;
    const middle = toImage(session.view, screenPoint(session.canvas.width / 2, session.canvas.height / 2));
    const start = this.lastPointer ?? middle;
    const { width, height } = session.size;
    this.at = imagePoint(
      clamp(Math.floor(start.x) + 0.5, 0.5, width - 0.5),
      clamp(Math.floor(start.y) + 0.5, 0.5, height - 0.5),
    );
    this.keepInSight();
    session.tool.move(this.pointer("left"));
    session.touch();
  }

  private pointer(button: "left" | "right"): ToolPointer {
    const { session } = this;
    const image = this.at ?? imagePoint(0, 0);
    return {
      screen: toScreen(session.view, image),
      image,
      inside: isInside(image, session.size),
      button,
      alt: false,
      shift: false,
      touch: false,
      pressure: 1,
    };
  }

  private keepInSight(): void {
    const { session } = this;
    if (!this.at) return;
    const { x, y } = toScreen(session.view, this.at);
    const { width, height } = session.canvas;
    const dx = clamp(x, MARGIN, Math.max(MARGIN, width - MARGIN)) - x;
    const dy = clamp(y, MARGIN, Math.max(MARGIN, height - MARGIN)) - y;
    if (dx !== 0 || dy !== 0) session.pan(dx, dy);
  }
}

/** From the middle of a pixel to that of another one; only at the end of the picture on to its edge, which is no middle. */
const stepped = (from: number, by: number): number => (by === 0 ? from : Math.floor(from) + 0.5 + by);
