import type { Box, ImagePoint, Size } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import type { Patch, StrokePoint } from "../core/patch";
import type { MaskPaint } from "../core/tile";
import type { Viewport } from "../core/viewport";
import type { Picture } from "./picture";

/** One saved mask to paint. */
export interface SceneMask extends MaskPaint {
  readonly id: string;
}

/** A measured distance, in image pixels, with what is written beside it. */
export interface SceneRuler {
  readonly from: ImagePoint;
  readonly to: ImagePoint;
  readonly text: string;
}

/** Pixels that are to come and pixels that are to go, where a mask is wrong. */
export interface SceneWrong {
  readonly missing: Patch;
  readonly surplus: Patch;
}

/** Everything the three canvases show, as plain values. Shapes and points are in image pixels. */
export interface Scene {
  readonly view: Viewport;
  readonly image: Picture | null;
  readonly imageSize: Size;
  /** Lowest first. The same array while nothing changed. */
  readonly masks: readonly SceneMask[];
  /** Left of a line, at a share of the canvas's width, other masks are painted in the place of these; null: no line. */
  readonly divided: { readonly masks: readonly SceneMask[]; readonly at: number } | null;
  /** Mask in the making, and whether it is only a preview under the pointer. */
  readonly draft: { readonly patch: Patch; readonly preview: boolean } | null;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label: 0 | 1 }[];
  readonly box: Box | null;
  readonly stroke: { readonly points: readonly StrokePoint[]; readonly radius: number; readonly value: 0 | 1 } | null;
  readonly wrong: readonly SceneWrong[];
  readonly pins: readonly { readonly x: number; readonly y: number; readonly text: string }[];
  readonly shapes: readonly OverlayShape[];
  /** Image pixels between grid lines; 0: no grid. */
  readonly grid: number;
  readonly ruler: SceneRuler | null;
}
