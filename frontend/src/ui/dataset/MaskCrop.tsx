import { useEffect, useRef, useState } from "react";
import type { FoundMask } from "../../api/types";
import { decodePatch } from "../../core/rle";
import { paintCrop } from "./paintSide";

const SIDE = 168;
const THUMBNAIL = 320; // pixels of a thumbnail's long side
const ENOUGH = 48; // pixels of a mask in the thumbnail, from which that shows it well
const MOST_PIXELS = 16e6; // of a picture that is loaded whole for the sake of one mask

/** A mask on its picture, cut to the place. The picture is loaded when it is scrolled to, and as small as will do. */
export function MaskCrop({ mask }: { mask: FoundMask }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (!seen || !element) return;
    const picture = new Image();
    const patch = decodePatch(mask.segmentation);
    const size = { width: mask.width, height: mask.height };
    picture.onload = () => paintCrop(element, picture, size, patch);
    picture.src = sourceOf(mask);
    return () => {
      picture.onload = null;
    };
  }, [seen, mask]);
  return <canvas ref={canvas} className="mask-crop" width={SIDE} height={SIDE} aria-hidden />;
}

function sourceOf(mask: FoundMask): string {
  const [, , wide = 0, high = 0] = mask.bbox;
  const shrunk = Math.min(1, THUMBNAIL / Math.max(mask.width, mask.height));
  const small = Math.max(wide, high) * shrunk < ENOUGH && shrunk < 1;
  return small && mask.width * mask.height <= MOST_PIXELS ? `/api/images/${mask.image}/file/` : mask.thumbnail_url;
}
