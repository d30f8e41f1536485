import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { itemFromRecord } from "../../actions/records";
import type { VideoDesk } from "../../actions/videoDesk";
import type { ChangesAnswer } from "../../api/types";
import { isCurrent } from "../../core/maskStore";
import { colourOf, MASK_COLOURS, type Rgb } from "../../core/palette";
import type { Patch } from "../../core/patch";
import { isPlain } from "../../core/viewSettings";
import { patchBitmap } from "../../render/patchBitmap";
import { drawPicture, type Picture } from "../../render/picture";
import { useUser } from "../session";
import { useWorkbench } from "../workbench";
import { FILTER_ID } from "./PictureFilter";
import { pictureNow } from "./pictures";
import { loadFrame, masksQuery } from "./prefetch";
import { useDesk } from "./useVideoDesk";

interface Shown {
  readonly picture: Picture;
  readonly masks: readonly (readonly [Patch, Rgb])[];
}

/** Milliseconds; the canvases of a frame whose picture is there are painted within two or three frames of the screen. */
const UNTIL_PAINTED = 120;
/** Fills like a saved mask in the editor. */
const FILL = 0.38;

/**
 * Lies over the picture while the playhead is on another frame than the one that is open: that frame with its masks. A
 * press on it opens the frame.
 */
export function FramePreview({ session, desk }: { session: EditorSession; desk: VideoDesk }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const elsewhere = useDesk(desk, ({ playhead }) => playhead.at !== playhead.opened);
  const wanted = useDesk(desk, ({ timeline, playhead }) => timeline.frames[playhead.at]?.image ?? null);
  const shown = useFrame(desk, elsewhere ? wanted : null);
  const own = useOwnUntilPainted(session);
  const visible = elsewhere ? shown : own;

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || !visible) return;
    // The canvases below have not been measured yet when a frame has just been opened.
    if (session.canvas.width <= 1) session.setCanvas({ width: element.clientWidth, height: element.clientHeight });
    const draw = () => paint(element, visible, session);
    draw();
    return session.changed.on(draw);
  }, [visible, session]);

  if (!visible) return null;
  return (
    <canvas
      ref={canvas}
      className={elsewhere ? "frame-preview" : "frame-preview frame-preview--own"}
      aria-hidden
      onPointerDown={() => desk.settle()}
    />
  );
}

/** The frame that is open, for the moment until the editor's own canvases show it: nothing flickers on the way. */
function useOwnUntilPainted(session: EditorSession): Shown | null {
  const [own, setOwn] = useState<Shown | null>(() => {
    const picture = pictureNow(session.options.image);
    if (!picture) return null;
    const { layout } = session;
    const masks = layout.listed().filter(({ id }) => !layout.hidden.has(id));
    return { picture, masks: masks.map(({ id, patch }) => [patch, layout.colourOf(id)]) };
  });
  useEffect(() => {
    const timer = setTimeout(() => setOwn(null), UNTIL_PAINTED);
    return () => clearTimeout(timer);
  }, []);
  return own;
}

/** The frame as far as it is known; while the next one is on its way, the one before. */
function useFrame(desk: VideoDesk, image: number | null): Shown | null {
  const queries = useQueryClient();
  const user = useUser();
  const { database } = useWorkbench();
  const [shown, setShown] = useState<Shown | null>(null);
  const before = useRef<Promise<void>>(Promise.resolve());
  const latest = useRef(image);
  useEffect(() => {
    latest.current = image;
    if (image === null) return setShown(null);
    let wanted = true;
    const show = async () => {
      // One after the other: of the frames that a drag runs over meanwhile only the last is asked for.
      await before.current;
      if (!wanted) return;
      const { picture } = await loadFrame(image, user.id, queries, database.visits);
      const known = queries.getQueryData<ChangesAnswer>(masksQuery(image).queryKey);
      // Somebody who drags on sees the frames that they pass, though late.
      if (latest.current !== null) setShown({ picture, masks: known ? patchesOf(known, desk) : [] });
    };
    // A frame that cannot be loaded is told of when it is opened.
    before.current = show().catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, [image, desk, user, queries, database]);
  return image === null ? null : shown;
}

function patchesOf({ masks }: ChangesAnswer, desk: VideoDesk): [Patch, Rgb][] {
  return masks
    .map(itemFromRecord)
    .filter(isCurrent)
    .map(({ id, patch, track }) => {
      const style = track === null ? null : desk.styleOf(track);
      return [patch, style === null ? colourOf(id) : (MASK_COLOURS[style % MASK_COLOURS.length] as Rgb)];
    });
}

/** The picture with the look that is set, and the masks, unless all are hidden. */
function paint(canvas: HTMLCanvasElement, shown: Shown, session: EditorSession): void {
  const { view, size, allHidden, options } = session;
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.filter = isPlain(options.view.current.look) ? "none" : `url(#${FILTER_ID})`;
  drawPicture(context, shown.picture, size, view, ratio);
  context.filter = "none";
  if (allHidden) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const [patch, colour] of shown.masks) {
    const bitmap = patchBitmap(patch, { colour, fill: FILL, rim: 1 });
    if (!bitmap) continue;
    const { scale, x, y } = view;
    context.drawImage(bitmap, x + patch.x * scale, y + patch.y * scale, patch.width * scale, patch.height * scale);
  }
}
