import { memo, type PointerEvent, useEffect, useRef } from "react";
import type { VideoDesk } from "../../../actions/videoDesk";
import { css, MASK_COLOURS, type Rgb } from "../../../core/palette";
import { SURE, type Timeline, type Track } from "../../../core/timeline";
import { useDesk } from "../useVideoDesk";
import { useWindow } from "../useWindow";
import { emptied, placeAt, useWidth } from "./strip";
import { TrackMenu } from "./TrackMenu";

/** CSS pixels of one row; the styles say the same. */
const ROW = 28;
/** Opacity of a proposal by how sure the model was; what people have accepted is solid. */
const SURENESS = [0.14, 0.28, 0.42, 0.6];
const HATCH = 5;

/** One row for each track: solid where somebody has accepted the mask, hatched where it is proposed. */
export function TrackRows({ desk }: { desk: VideoDesk }) {
  const timeline = useDesk(desk, (state) => state.timeline);
  const current = useDesk(desk, (state) => state.current);
  const { tracks } = timeline;
  const chosen = tracks.findIndex((track) => track.id === current);
  const { scroller, first, end } = useWindow(tracks.length, ROW, chosen);
  return (
    <div className="film__rows" ref={scroller}>
      {tracks.length === 0 ? (
        <p className="film__empty muted small">
          Nothing is followed yet. Select a mask and choose <b>Follow</b>: the model looks for the object on the other
          frames.
        </p>
      ) : (
        <ul style={{ paddingTop: first * ROW, paddingBottom: (tracks.length - end) * ROW }}>
          {tracks.slice(first, end).map((track, at) => (
            <TrackRow
              key={track.id}
              desk={desk}
              timeline={timeline}
              track={track}
              place={first + at}
              count={tracks.length}
              chosen={track.id === current}
            />
          ))}
        </ul>
      )}
    </div>
  );
}

interface RowProps {
  desk: VideoDesk;
  timeline: Timeline;
  track: Track;
  /** From the top of the list, from 0, of `count`. */
  place: number;
  count: number;
  chosen: boolean;
}

function TrackRow({ desk, timeline, track, place, count, chosen }: RowProps) {
  const strip = useRef<HTMLDivElement>(null);
  const width = useWidth(strip);
  const colour = MASK_COLOURS[place % MASK_COLOURS.length] as Rgb;
  const name = desk.tracks.nameOf(track.id);
  const accepted = track.masks.filter((mask) => mask.status === "accepted").length;
  const press = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    desk.choose(track.id);
    desk.playhead.goTo(placeAt(event.currentTarget, event.clientX, timeline.frames.length));
  };
  return (
    <li
      className={chosen ? "film__line film-track film-track--chosen" : "film__line film-track"}
      aria-setsize={count}
      aria-posinset={place + 1}
    >
      <span className="film__label">
        <button
          type="button"
          className="film-track__name"
          aria-pressed={chosen}
          onClick={() => desk.choose(chosen ? null : track.id)}
        >
          <span className="film-track__colour" style={{ background: css(colour) }} aria-hidden />
          <span className="film-track__text" title={name}>
            {name}
          </span>
          <span className="sr-only">
            {`, accepted on ${accepted} and proposed on ${track.masks.length - accepted} of ${timeline.frames.length} frames`}
          </span>
        </button>
        <TrackMenu desk={desk} track={track} name={name} />
      </span>
      {/* The slider above leads to every frame by keys; this is the same by pointer. */}
      <div ref={strip} className="film__strip" onPointerUp={press}>
        <TrackStrip timeline={timeline} track={track} frames={timeline.frames.length} colour={colour} width={width} />
      </div>
    </li>
  );
}

interface StripProps {
  timeline: Timeline;
  track: Track;
  frames: number;
  colour: Rgb;
  width: number;
}

/** Drawn again only when the track itself, its colour or the width changes. */
const TrackStrip = memo(
  function TrackStrip({ timeline, track, frames, colour, width }: StripProps) {
    const canvas = useRef<HTMLCanvasElement>(null);
    useEffect(() => {
      const surface = emptied(canvas.current, width);
      if (!surface) return;
      const { context, height } = surface;
      const unit = width / Math.max(1, frames);
      for (const run of timeline.runs(track)) {
        const left = run.from * unit;
        const wide = Math.max(1, (run.to + 1 - run.from) * unit);
        context.fillStyle = css(colour, run.status === "accepted" ? 1 : (SURENESS[run.sureness] ?? 0));
        context.fillRect(left, 0, wide, height);
        if (run.status === "proposed") hatch(context, left, wide, height, css(colour, run.sureness === SURE ? 1 : 0.8));
      }
    }, [timeline, track, frames, colour, width]);
    return <canvas ref={canvas} aria-hidden />;
  },
  (a, b) => a.track === b.track && a.frames === b.frames && a.colour === b.colour && a.width === b.width,
);

/** Diagonal lines over a part of the strip. */
function hatch(context: CanvasRenderingContext2D, left: number, wide: number, height: number, colour: string): void {
  context.save();
  context.beginPath();
  context.rect(left, 0, wide, height);
  context.clip();
  context.beginPath();
  const first = Math.floor((left - height) / HATCH) * HATCH;
  for (let x = first; x < left + wide; x += HATCH) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.stroke();
  context.restore();
}
