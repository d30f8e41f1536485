import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";
import type { VideoDesk } from "../../../actions/videoDesk";
import { useDesk } from "../useVideoDesk";
import { emptied, placeAt, useWidth } from "./strip";

/** CSS pixels between two written times, and from which width on single frames are marked. */
const TIMES_APART = 70;
const FRAME_APART = 5;
const FAR = 10;

/** The frames with their times, as a slider: dragged, clicked, or moved by its own keys. */
export function Scrubber({ desk }: { desk: VideoDesk }) {
  const strip = useRef<HTMLDivElement>(null);
  const width = useWidth(strip);
  const timeline = useDesk(desk, (state) => state.timeline);
  const at = useDesk(desk, (state) => state.playhead.at);
  const { playhead } = desk;
  const { length } = timeline.frames;

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons === 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
    const place = placeAt(event.currentTarget, event.clientX, length);
    if (place !== desk.playhead.at || event.type === "pointerdown") playhead.show(place);
  };

  return (
    <div className="film__line">
      <span className="film__label muted small" aria-hidden>
        {timeline.tracks.length === 1 ? "1 track" : `${timeline.tracks.length} tracks`}
      </span>
      <div
        ref={strip}
        className="film__strip scrubber"
        role="slider"
        tabIndex={0}
        aria-label="Frame"
        aria-valuemin={1}
        aria-valuemax={Math.max(1, length)}
        aria-valuenow={at + 1}
        aria-valuetext={timeline.frameText(at)}
        onPointerDown={drag}
        onPointerMove={drag}
        onPointerUp={() => playhead.rest()}
        onPointerCancel={() => playhead.rest()}
        onKeyDown={(event) => onSliderKey(desk, event)}
      >
        <FrameMarks desk={desk} width={width} />
        {timeline.ticks(width, TIMES_APART).map(({ place, label }) => (
          <span
            key={place}
            className="scrubber__time"
            style={{ left: `clamp(16px, ${(100 * (place + 0.5)) / length}%, 100% - 18px)` }}
            aria-hidden
          >
            {label}
          </span>
        ))}
      </div>
    </div>
  );
}

/** The keys of a slider; Space plays. */
function onSliderKey(desk: VideoDesk, event: KeyboardEvent): void {
  const { playhead, timeline } = desk;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? FAR : 1;
  const moves: Record<string, number> = {
    ArrowLeft: -step,
    ArrowDown: -step,
    ArrowRight: step,
    ArrowUp: step,
    PageDown: -FAR,
    PageUp: FAR,
  };
  const by = moves[event.key] ?? 0;
  const to = { Home: 0, End: timeline.last }[event.key];
  if (to === undefined && by === 0 && event.key !== " ") return;
  event.preventDefault();
  // The arrows would move the picture's crosshair, too, and Space would click there.
  event.stopPropagation();
  if (to !== undefined) playhead.goTo(to);
  else if (by === 0) playhead.toggle();
  // Where fewer frames are left than a far step takes, to the end.
  else playhead.step(Math.max(-playhead.at, Math.min(timeline.last - playhead.at, by)) || Math.sign(by));
}

/** Ticks of single frames where there is room for them, and a line under the frames whose work is done. */
function FrameMarks({ desk, width }: { desk: VideoDesk; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frames = useDesk(desk, (state) => state.timeline.frames);
  useEffect(() => {
    const surface = emptied(canvas.current, width);
    if (!surface) return;
    const { context, height } = surface;
    const unit = width / Math.max(1, frames.length);
    const style = getComputedStyle(context.canvas);
    context.fillStyle = style.color;
    const ticks = unit >= FRAME_APART ? frames.length : 0;
    for (let place = 0; place < ticks; place++) context.fillRect(place * unit, height - 9, 1, 5);
    context.fillStyle = style.borderTopColor;
    frames.forEach(({ open }, place) => {
      if (!open) context.fillRect(place * unit, height - 3, Math.max(1, unit), 3);
    });
  }, [frames, width]);
  return <canvas ref={canvas} aria-hidden />;
}
