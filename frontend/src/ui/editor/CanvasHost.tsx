import { useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { isPlain } from "../../core/viewSettings";
import { type Layers, Painter } from "../../render/painter";
import type { Picture } from "../../render/picture";
import { ValuesPicture } from "../../render/valuesPicture";
import { Announcer } from "./Announcer";
import { FILTER_ID } from "./PictureFilter";
import { attachPointer } from "./pointer";
import { sceneOf } from "./scene";
import { useEditor } from "./useEditor";

interface CanvasHostProps {
  session: EditorSession;
  image: Picture | null;
}

/** Three stacked canvases: the picture, the saved masks, and what follows the pointer. React only mounts them. */
export function CanvasHost({ session, image }: CanvasHostProps) {
  const host = useRef<HTMLDivElement>(null);
  const cursor = useEditor(session, (state) => (state.editable ? state.tool.cursor : "default"));
  const plain = useEditor(session, (state) => isPlain(state.options.view.current.look));
  // A picture in its own values makes its look of them.
  const filtered = !plain && !(image instanceof ValuesPicture);
  const picture = useRef(image);
  const painter = useRef<Painter | null>(null);
  picture.current = image;

  useEffect(() => {
    const element = host.current;
    const layers = element && layersOf(element);
    if (!layers) return;
    const paint = new Painter(
      layers,
      () => sceneOf(session, picture.current),
      () => session.painted(paint.lastPaint, picture.current !== null),
    );
    painter.current = paint;
    const off = session.changed.on(() => paint.request());
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      session.setCanvas({ width, height });
      paint.resize(width, height);
    });
    observer.observe(element);
    const detach = attachPointer(element, layers.overlay, session);
    // The editor of the image before took the focus along, and keys and screen readers would begin at the page's top.
    if (document.activeElement === document.body) layers.overlay.focus({ preventScroll: true });
    return () => {
      detach();
      observer.disconnect();
      off();
      paint.close();
    };
  }, [session]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a picture that has arrived is a reason to paint
  useEffect(() => painter.current?.request(), [image]);

  return (
    <div ref={host} className="stage__canvases">
      <canvas data-layer="image" style={filtered ? { filter: `url(#${FILTER_ID})` } : undefined} />
      <canvas data-layer="masks" />
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it takes keys and pointer as an application does */}
      <canvas
        data-layer="overlay"
        tabIndex={0}
        role="application"
        aria-label="Picture. Arrow keys move a crosshair, Space clicks there, Enter accepts. Question mark shows all keys."
        data-cursor={cursor}
      />
      <Announcer session={session} />
    </div>
  );
}

function layersOf(host: HTMLElement): Layers | null {
  const [image, masks, overlay] = host.querySelectorAll("canvas");
  return image && masks && overlay ? { image, masks, overlay } : null;
}
