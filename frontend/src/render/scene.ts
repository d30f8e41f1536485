import type { Box, ImagePoint, Size } from "../core/geometry";
import type { Rgb } from "../core/palette";
import type { Patch } from "../core/patch";
import type { Viewport } from "../core/viewport";

/** One saved mask to paint. `patch` identifies its pixels: painted bitmaps are kept as long as it is alive. */
export interface SceneMask {
  readonly id: string;
  readonly patch: Patch;
  readonly colour: Rgb;
  readonly selected: boolean;
}

export type SceneShape =
  | { readonly kind: "box"; readonly box: Box }
  | { readonly kind: "circle"; readonly at: ImagePoint; readonly radius: number }
  | { readonly kind: "crosshair"; readonly at: ImagePoint };

/** Everything the three canvases show, as plain values. Shapes and points are in image pixels. */
export interface Scene {
  readonly view: Viewport;
  readonly image: CanvasImageSource | null;
  readonly imageSize: Size;
  readonly masks: readonly SceneMask[];
  /** Mask in the making, and whether it is only a preview under the pointer. */
  readonly draft: { readonly patch: Patch; readonly preview: boolean } | null;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label: 0 | 1 }[];
  readonly box: Box | null;
  readonly stroke: { readonly points: readonly ImagePoint[]; readonly radius: number; readonly value: 0 | 1 } | null;
  readonly shapes: readonly SceneShape[];
}
