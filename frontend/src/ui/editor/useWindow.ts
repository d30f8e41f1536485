import { type RefObject, useEffect, useRef, useState } from "react";

/** Rows beyond the edge, so that quick scrolling shows no gaps and Tab finds the next one. */
const EXTRA = 6;

/**
 * Which rows of a long list are worth having in the document: those in sight and a few beyond. Rows are all of the same
 * height. The row at `follow` is brought into sight when it changes; -1 is none.
 */
export function useWindow(
  count: number,
  rowHeight: number,
  follow: number,
): { scroller: RefObject<HTMLDivElement | null>; first: number; end: number } {
  const scroller = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ first: 0, rows: 20 });

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - EXTRA);
      const rows = Math.ceil(element.clientHeight / rowHeight) + 2 * EXTRA;
      setSeen((before) => (before.first === first && before.rows === rows ? before : { first, rows }));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [rowHeight]);

  useEffect(() => {
    const element = scroller.current;
    if (!element || follow < 0) return;
    const top = follow * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + rowHeight - element.clientHeight;
    }
  }, [follow, rowHeight]);

  const first = Math.min(seen.first, Math.max(0, count - seen.rows));
  return { scroller, first, end: Math.min(count, first + seen.rows) };
}
