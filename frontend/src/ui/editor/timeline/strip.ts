import { type RefObject, useEffect, useState } from "react";

/** Width of an element in CSS pixels, as it changes; 0 before it is known. */
export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** Which of `count` frames lies at a position of the page along a strip. */
export function placeAt(strip: HTMLElement, clientX: number, count: number): number {
  const { left, width } = strip.getBoundingClientRect();
  const share = width > 0 ? (clientX - left) / width : 0;
  return Math.max(0, Math.min(count - 1, Math.floor(share * count)));
}

/** A canvas of so many CSS pixels, emptied and as sharp as the screen; null while it has no size. */
export function emptied(canvas: HTMLCanvasElement | null, width: number): Surface | null {
  const context = canvas?.getContext("2d");
  if (!canvas || !context || width === 0) return null;
  const ratio = window.devicePixelRatio || 1;
  const height = canvas.clientHeight;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, height };
}

interface Surface {
  readonly context: CanvasRenderingContext2D;
  readonly height: number;
}
