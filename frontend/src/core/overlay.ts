import type { Box, ImagePoint } from "./geometry";

/** Shapes that a tool wants drawn over the image, in image pixels; `removes` shows that pixels will go, not come. */
export type OverlayShape =
  | { readonly kind: "box"; readonly box: Box }
  | { readonly kind: "circle"; readonly at: ImagePoint; readonly radius: number }
  | { readonly kind: "crosshair"; readonly at: ImagePoint }
  | {
      readonly kind: "outline";
      readonly points: readonly ImagePoint[];
      /** Corners that were set one by one are marked; the first closes the outline when it is clicked. */
      readonly corners: readonly ImagePoint[];
      readonly removes: boolean;
    }
  | { readonly kind: "line"; readonly points: readonly ImagePoint[]; readonly removes: boolean };
