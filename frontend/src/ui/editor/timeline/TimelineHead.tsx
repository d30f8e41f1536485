import { ChevronDown, ChevronUp, Pause, Play, SkipBack, SkipForward, TriangleAlert } from "lucide-react";
import { COMMANDS_BY_ID } from "../../../actions/commands";
import { strokeLabel } from "../../../actions/keymap";
import { keysOf } from "../../../actions/registry";
import type { VideoDesk } from "../../../actions/videoDesk";
import { preferencesOf } from "../../../storage/preferences";
import { IconButton } from "../../kit/kit";
import { useUser } from "../../session";
import { useDesk } from "../useVideoDesk";
import { FollowControls } from "./FollowControls";

interface HeadProps {
  desk: VideoDesk;
  folded: boolean;
  fold: () => void;
}

/** The way along the frames, and what is done with the object that is worked on. */
export function TimelineHead({ desk, folded, fold }: HeadProps) {
  const at = useDesk(desk, (state) => state.playhead.at);
  const timeline = useDesk(desk, (state) => state.timeline);
  const playing = useDesk(desk, (state) => state.playhead.playing);
  const loaded = useDesk(desk, (state) => state.loaded);
  const stroke = useStrokes();
  return (
    <div className="film__head" role="toolbar" aria-label="Frames and tracks">
      <span className="row film__way">
        <IconButton
          icon={SkipBack}
          size="small"
          look="quiet"
          label="Previous frame"
          stroke={stroke("frame.previous")}
          disabled={at === 0}
          onClick={() => desk.playhead.step(-1)}
        />
        <IconButton
          icon={playing ? Pause : Play}
          size="small"
          label={playing ? "Hold still" : "Play"}
          stroke={stroke("frame.play")}
          disabled={timeline.frames.length < 2}
          onClick={() => desk.playhead.toggle()}
        />
        <IconButton
          icon={SkipForward}
          size="small"
          look="quiet"
          label="Next frame"
          stroke={stroke("frame.next")}
          disabled={at >= timeline.last}
          onClick={() => desk.playhead.step(1)}
        />
      </span>
      <span className="film__where">{loaded ? timeline.frameText(at) : "Loading the frames"}</span>
      <FollowControls desk={desk} stroke={stroke} />
      <span className="row film__more">
        <IconButton
          icon={TriangleAlert}
          size="small"
          look="quiet"
          label="Frame most worth correcting"
          stroke={stroke("frame.doubt")}
          disabled={timeline.tracks.length === 0}
          onClick={() => desk.tracks.worst()}
        />
        <IconButton
          icon={folded ? ChevronUp : ChevronDown}
          size="small"
          look="quiet"
          label={folded ? "Show the tracks" : "Hide the tracks"}
          aria-expanded={!folded}
          onClick={fold}
        />
      </span>
    </div>
  );
}

/** The first key of a command, as this person has it. */
function useStrokes(): (id: string) => string | undefined {
  const user = useUser();
  const choice = preferencesOf(user.id).current;
  return (id) => {
    const command = COMMANDS_BY_ID.get(id);
    const stroke = command && keysOf(command, choice)[0];
    return stroke && strokeLabel(stroke);
  };
}
