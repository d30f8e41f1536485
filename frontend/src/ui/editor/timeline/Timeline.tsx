import { type CSSProperties, useEffect, useRef, useState } from "react";
import type { VideoDesk } from "../../../actions/videoDesk";
import { Button, Note } from "../../kit/kit";
import { useDesk } from "../useVideoDesk";
import { Scrubber } from "./Scrubber";
import { TimelineHead } from "./TimelineHead";
import { TrackRows } from "./TrackRows";

const FOLDED = "anymask.timeline.folded";
/** Somebody who steps on wants to hear where they arrived, not every frame on the way. */
const QUIET = 400;

/** Below the editor where the image is a frame: the frames of its video, what is followed through them, and the way along. */
export function Timeline({ desk }: { desk: VideoDesk }) {
  const [folded, setFolded] = useState(() => localStorage.getItem(FOLDED) === "yes");
  const loaded = useDesk(desk, (state) => state.loaded);
  const problem = useDesk(desk, (state) => state.problem);
  const position = useDesk(desk, ({ playhead, timeline }) => (playhead.at + 0.5) / Math.max(1, timeline.frames.length));
  const fold = () => {
    localStorage.setItem(FOLDED, folded ? "no" : "yes");
    setFolded(!folded);
  };
  return (
    <section
      className="film"
      aria-label="Timeline"
      style={{ "--at": position } as CSSProperties}
      // A clicked button must not take the focus from the picture: Enter and Space are wanted there.
      onMouseDown={(event) => {
        if ((event.target as HTMLElement).closest("button")) event.preventDefault();
      }}
    >
      {problem ? (
        <div className="film__problem">
          <Note tone="bad">The timeline could not be loaded. {problem}</Note>
          <Button size="small" onClick={() => void desk.load()}>
            Try again
          </Button>
        </div>
      ) : (
        <>
          <TimelineHead desk={desk} folded={folded} fold={fold} />
          {loaded && (
            <div className="film__body">
              <Scrubber desk={desk} />
              {!folded && <TrackRows desk={desk} />}
              <div className="film__marker" aria-hidden>
                <span />
              </div>
            </div>
          )}
        </>
      )}
      <FrameAnnouncer desk={desk} />
    </section>
  );
}

/** Says where the playhead has come to rest, and what the chosen track has there. */
function FrameAnnouncer({ desk }: { desk: VideoDesk }) {
  const [message, setMessage] = useState("");
  const opened = useDesk(desk, ({ playhead, loaded }) => (loaded ? playhead.opened : -1));
  const said = useRef(-1);
  useEffect(() => {
    // Where one begins needs no telling: the page says so itself.
    if (opened < 0 || said.current === opened) return;
    const first = said.current === -1;
    said.current = opened;
    if (first) return;
    const timer = setTimeout(() => setMessage(described(desk, opened)), QUIET);
    return () => clearTimeout(timer);
  }, [opened, desk]);
  return (
    <p className="sr-only" aria-live="polite">
      {message}
    </p>
  );
}

function described(desk: VideoDesk, place: number): string {
  const { timeline, track, tracks } = desk;
  const mask = track && timeline.mask(track, place);
  const state = mask ? `${mask.status}` : "nothing here";
  return `${timeline.frameText(place)}.${track ? ` ${tracks.nameOf(track.id)}: ${state}.` : ""}`;
}
