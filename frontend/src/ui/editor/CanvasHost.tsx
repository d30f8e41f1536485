import { useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { type Layers, Painter } from "../../render/painter";
import { attachPointer } from "./pointer";
import { sceneOf } from "./scene";
import { useEditor } from "./useEditor";

interface CanvasHostProps {
  session: EditorSession;
  image: HTMLImageElement | null;
  onPainted: (milliseconds: number) => void;
}

/** Three stacked canvases: the picture, the saved masks, and what follows the pointer. React only mounts them. */
export function CanvasHost({ session, image, onPainted }: CanvasHostProps) {
  const host = useRef<HTMLDivElement>(null);
  const cursor = useEditor(session, (state) => (state.editable ? state.tool.cursor : "default"));
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
      () => onPainted(paint.lastPaint),
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
    return () => {
      detach();
      observer.disconnect();
      off();
      paint.close();
    };
  }, [session, onPainted]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a picture that has arrived is a reason to paint
  useEffect(() => painter.current?.request(), [image]);

  return (
    <div ref={host} className="stage__canvases">
      <canvas data-layer="image" />
      <canvas data-layer="masks" />
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it takes keys and pointer as an application does */}
      <canvas
        data-layer="overlay"
        tabIndex={0}
        role="application"
        aria-label="Image. Click to add to a mask, right click to remove. Press question mark for all keys."
        data-cursor={cursor}
      />
    </div>
  );
}

function layersOf(host: HTMLElement): Layers | null {
  const [image, masks, overlay] = host.querySelectorAll("canvas");
  return image && masks && overlay ? { image, masks, overlay } : null;
}
