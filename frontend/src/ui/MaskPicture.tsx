import { useEffect, useRef, useState } from "react";
import { type Box, boxUnion } from "../core/geometry";
import type { MaskItem } from "../core/maskStore";
import type { Rgb } from "../core/palette";
import { type Patch, patchArea, patchBox } from "../core/patch";
import { sharedArea, subtract } from "../core/pixels";
import { decodePatch, type Segmentation } from "../core/rle";
import type { Picture } from "../render/picture";
import { paintThumbnail } from "../render/thumbnail";
import { picture } from "./editor/pictures";

/** Blue for what is the same in both, orange for what only this one has: apart for every kind of colour vision. */
const SAME: Rgb = [86, 180, 233];
const ONLY_HERE: Rgb = [255, 140, 0];

type Shape = Pick<MaskItem, "patch" | "segmentation">;

export const shapeOf = (segmentation: Segmentation): Shape => ({ segmentation, patch: decodePatch(segmentation) });

/** The pixels of an image, null until they are there. */
export function usePicture(image: number | undefined): Picture | null {
  const [loaded, setLoaded] = useState<Picture | null>(null);
  useEffect(() => {
    if (image === undefined) return;
    let wanted = true;
    picture(`/api/images/${image}/file/`)
      .then((one) => wanted && setLoaded(one))
      .catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, [image]);
  return loaded;
}

interface MaskPictureProps {
  image: Picture | null;
  item: Shape;
  /** What it is compared with: the parts that the other one has not stand out, and both are shown in one frame. */
  against: Shape | null;
  label: string;
  width?: number;
  height?: number;
}

/** One version of a mask on its picture, cut to the place. */
export function MaskPicture({ image, item, against, label, width = 420, height = 300 }: MaskPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const [rows, columns] = item.segmentation.size;
    const size = { width: columns, height: rows };
    const around: Box = against ? boxUnion(patchBox(item.patch), patchBox(against.patch)) : patchBox(item.patch);
    const layers: [Patch, Rgb][] = [[item.patch, SAME]];
    const only = against && subtract(item.patch, against.patch);
    if (only && only.width > 0) layers.push([only, ONLY_HERE]);
    paintThumbnail(canvas.current, image, layers, size, around);
  }, [image, item, against]);
  return <canvas ref={canvas} className="mask-picture" width={width} height={height} role="img" aria-label={label} />;
}

/** Share of the pixels of both that they have in common, 0..1. */
export function overlapOf(a: Pick<MaskItem, "patch">, b: Pick<MaskItem, "patch">): number {
  const shared = sharedArea(a.patch, b.patch);
  const all = patchArea(a.patch) + patchArea(b.patch) - shared;
  return all === 0 ? 1 : shared / all;
}
