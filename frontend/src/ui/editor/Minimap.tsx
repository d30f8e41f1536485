import { type PointerEvent, useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { scaleBar } from "../../core/viewSettings";
import { drawPicture, type Picture } from "../../render/picture";
import { useEditor } from "./useEditor";

const LONG_SIDE = 168;

/** The whole picture, small, with a frame round what the canvas shows. A click or a drag goes there. */
export function Minimap({ session, image }: { session: EditorSession; image: Picture | null }) {
  const shown = useEditor(session, (state) => state.options.view.current.minimap);
  return shown ? <Overview session={session} image={image} /> : null;
}

function Overview({ session, image }: { session: EditorSession; image: Picture | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useEditor(session, (state) => state.view);
  const { size, canvas: seen } = session;
  const scale = LONG_SIDE / Math.max(size.width, size.height);
  const [width, height] = [Math.max(8, Math.round(size.width * scale)), Math.max(8, Math.round(size.height * scale))];

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, width, height);
    if (image) drawPicture(context, image, size, { scale, x: 0, y: 0 }, 1);
    const frame = [-view.x, -view.y, seen.width, seen.height].map((value) => (value / view.scale) * scale);
    const [x = 0, y = 0, wide = 0, high = 0] = frame;
    context.fillStyle = "rgb(0 0 0 / 0.45)";
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(x, y, wide, high);
    context.fill("evenodd");
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.strokeRect(x, y, wide, high);
  }, [image, view, size, seen, scale, width, height]);

  const goTo = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.buttons === 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    event.currentTarget.setPointerCapture(event.pointerId);
    const [x, y] = [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale];
    session.setView({ ...view, x: seen.width / 2 - x * view.scale, y: seen.height / 2 - y * view.scale });
  };
  return (
    <canvas
      ref={canvas}
      className="minimap"
      width={width}
      height={height}
      style={{ width, height }}
      role="img"
      aria-label="Overview of the picture"
      onPointerDown={goTo}
      onPointerMove={goTo}
    />
  );
}

/** A bar of a round length, in pixels or in the stated unit, and how large the picture is shown. */
export function ScaleBar({ session }: { session: EditorSession }) {
  const scale = useEditor(session, (state) => state.view.scale);
  const settings = useEditor(session, (state) => state.options.view.current);
  const bar = scaleBar(scale, 120, settings);
  return (
    <div className="scale-bar" aria-hidden="true">
      <span className="scale-bar__line" style={{ width: bar.width }} />
      {bar.text} · {Math.round(scale * 100)} %
    </div>
  );
}
