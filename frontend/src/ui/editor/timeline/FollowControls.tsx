import { Link2, Link2Off, Route, Settings2, Square, X } from "lucide-react";
import { Popover } from "radix-ui";
import { useId } from "react";
import type { EditorSession } from "../../../actions/editorSession";
import type { Pursuit } from "../../../actions/following";
import type { VideoDesk } from "../../../actions/videoDesk";
import type { Direction } from "../../../api/videos";
import { clamp } from "../../../core/geometry";
import { NumberInput } from "../../kit/fields";
import { counted, percent } from "../../kit/format";
import { Bar, Button, IconButton, Note, Tooltip } from "../../kit/kit";
import { useEditor } from "../useEditor";
import { useDesk } from "../useVideoDesk";

const DIRECTIONS: readonly (readonly [Direction, string])[] = [
  ["forward", "Forward"],
  ["backward", "Backward"],
  ["both", "Both ways"],
];

/** The server follows through at most so many frames at a time, each way. */
const MOST = 1000;

interface ControlsProps {
  desk: VideoDesk;
  stroke: (id: string) => string | undefined;
}

/** Following the object that is worked on: start, which way and how far, how it goes, stop. */
export function FollowControls({ desk, stroke }: ControlsProps) {
  const pursuits = useDesk(desk, (state) => state.following.pursuits);
  const problem = useDesk(desk, (state) => state.following.problem);
  const session = useDesk(desk, (state) => state.session);
  const known = useDesk(desk, (state) => state.track !== null);
  const run = (work: (open: EditorSession) => Promise<void>) => session && void work(session);
  return (
    <>
      <span className="row film__follow">
        {session && <FollowButton desk={desk} session={session} stroke={stroke("track.follow")} />}
        <Course desk={desk} />
        <IconButton
          icon={Link2}
          size="small"
          look="quiet"
          label="Put the selected mask to the track"
          stroke={stroke("track.put")}
          disabled={!session || !known}
          onClick={() => run((open) => desk.tracks.put(open))}
        />
        <IconButton
          icon={Link2Off}
          size="small"
          look="quiet"
          label="Take the selected mask out of its track"
          stroke={stroke("track.takeOut")}
          disabled={!session || !known}
          onClick={() => run((open) => desk.tracks.takeOut(open))}
        />
      </span>
      {[...pursuits.values()].map((pursuit) => (
        <Progress key={pursuit.track} desk={desk} pursuit={pursuit} />
      ))}
      {problem && (
        <span className="film__failed">
          <Note tone="bad">{problem}</Note>
          <IconButton
            icon={X}
            size="small"
            look="quiet"
            label="Close this message"
            onClick={() => desk.following.dismissProblem()}
          />
        </span>
      )}
    </>
  );
}

interface FollowProps {
  desk: VideoDesk;
  session: EditorSession;
  stroke: string | undefined;
}

function FollowButton({ desk, session, stroke }: FollowProps) {
  // The desk tells when the track that is worked on changes, the session when the selection does.
  useDesk(desk, (state) => state.current);
  const track = useEditor(session, (state) => desk.tracks.here(state)?.track ?? null);
  const busy = useDesk(desk, (state) => track !== null && state.following.pursuits.has(track));
  const label = track === null ? "Follow the selected object" : "Follow it again from this frame";
  return (
    <Tooltip label={label} stroke={stroke}>
      <Button size="small" icon={Route} disabled={busy} onClick={() => void desk.tracks.follow(session)}>
        {track === null ? "Follow" : "Follow again"}
      </Button>
    </Tooltip>
  );
}

function Progress({ desk, pursuit }: { desk: VideoDesk; pursuit: Pursuit }) {
  const { track, progress, message, stopping, job } = pursuit;
  const name = desk.tracks.nameOf(track);
  return (
    <span className="row film__progress" role="status">
      <Bar value={progress} label={`Following ${name}`} />
      <span className="small film__message">
        {name}: {progress === null ? message : percent(progress)}
      </span>
      <Button
        size="small"
        icon={Square}
        disabled={stopping || job === null}
        onClick={() => void desk.following.stop(track)}
      >
        Stop
      </Button>
    </span>
  );
}

/** Which way, and how many frames at most. */
function Course({ desk }: { desk: VideoDesk }) {
  const direction = useDesk(desk, (state) => state.direction);
  const limit = useDesk(desk, (state) => state.limit);
  const id = useId();
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <button
          type="button"
          className="button button--quiet button--icon button--small"
          aria-label="Which way, how far"
        >
          <Settings2 size={16} aria-hidden />
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover course"
          side="top"
          align="center"
          sideOffset={8}
          aria-label="Which way, how far"
        >
          <fieldset className="modes" aria-label="Direction">
            {DIRECTIONS.map(([value, label]) => (
              <button
                key={value}
                type="button"
                aria-pressed={direction === value}
                onClick={() => desk.setCourse(value, limit)}
              >
                {label}
              </button>
            ))}
          </fieldset>
          <label className="field" htmlFor={id}>
            <span className="field__label">Frames at most</span>
            <NumberInput
              id={id}
              className="input"
              inputMode="numeric"
              min={1}
              max={MOST}
              placeholder="no limit"
              value={limit}
              onNumber={(frames) => desk.setCourse(direction, clamp(Math.floor(frames ?? 0), 0, MOST) || null)}
            />
          </label>
          <Reach desk={desk} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** How far it would go from here. */
function Reach({ desk }: { desk: VideoDesk }) {
  const ahead = useDesk(desk, ({ timeline, track, playhead, direction }) => {
    const ways = direction === "both" ? ([1, -1] as const) : ([direction === "forward" ? 1 : -1] as const);
    return ways.reduce<number>((sum, way) => sum + timeline.framesAhead(track, playhead.opened, way), 0);
  });
  return (
    <p className="muted small">
      {`Following ends at the next accepted mask of the track, or where the video ends: ${counted(Math.min(ahead, MOST), "frame")} from here.`}
    </p>
  );
}
