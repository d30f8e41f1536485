import type { EditorSession } from "./editorSession";
import type { Command } from "./registry";
import type { VideoDesk } from "./videoDesk";

const onVideo = (run: (video: VideoDesk, session: EditorSession) => void): Pick<Command, "enabled" | "run"> => ({
  enabled: ({ options }) => options.video !== null,
  run: (session) => session.options.video && run(session.options.video, session),
});

const frame = (id: string, label: string, keys: string[], run: (video: VideoDesk) => void): Command => ({
  id: `frame.${id}`,
  label,
  group: "Video",
  keys,
  ...onVideo(run),
});

const track = (
  id: string,
  label: string,
  key: string,
  run: (video: VideoDesk, session: EditorSession) => void,
): Command => ({ id: `track.${id}`, label, group: "Video", keys: [key], ...onVideo(run) });

/** Commands on a frame of a video; elsewhere their keys do nothing. */
export const FRAME_COMMANDS: readonly Command[] = [
  { ...frame("previous", "Previous frame", ["A", ","], (video) => video.playhead.step(-1)), repeats: true },
  { ...frame("next", "Next frame", ["D", "."], (video) => video.playhead.step(1)), repeats: true },
  frame("keyBefore", "Accepted mask before", ["Shift+A"], (video) => video.tracks.keyframe(-1)),
  frame("keyAfter", "Next accepted mask", ["Shift+D"], (video) => video.tracks.keyframe(1)),
  frame("doubt", "Frame most worth correcting", ["U"], (video) => video.tracks.worst()),
  frame("play", "Play, or hold still", ["W"], (video) => video.playhead.toggle()),
  track("follow", "Follow this object", "T", (video, session) => void video.tracks.follow(session)),
  track("stop", "Stop following", "Shift+T", (video) => {
    for (const id of video.following.pursuits.keys()) void video.following.stop(id);
  }),
  track("put", "Put the mask to the track", "Alt+T", (video, session) => void video.tracks.put(session)),
  track("takeOut", "Take the mask out of its track", "Alt+Shift+T", (video, session) => {
    void video.tracks.takeOut(session);
  }),
];
