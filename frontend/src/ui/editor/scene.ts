import type { EditorSession } from "../../actions/editorSession";
import { promptsOf } from "../../core/draft";
import { colourOf } from "../../core/palette";
import type { Scene } from "../../render/scene";

/** What the canvases show of the editor's state. */
export function sceneOf(session: EditorSession, image: CanvasImageSource | null): Scene {
  const { drafting, store, hidden, selectedId } = session;
  const { draft } = store;
  const masks = session.allHidden
    ? []
    : store
        .visible()
        // What is being corrected is shown by its draft.
        .filter((item) => !hidden.has(item.id) && item.id !== draft.parent)
        .map((item) => ({
          id: item.id,
          patch: item.patch,
          colour: colourOf(item.id),
          selected: item.id === selectedId,
        }));
  const { points, labels, box } = promptsOf(draft.steps);
  const made = drafting.patch;
  const shown = made ?? drafting.hovered;
  return {
    view: session.view,
    image,
    imageSize: session.size,
    masks,
    draft: shown && { patch: shown, preview: made === null },
    points: points.map((point, at) => ({ x: point.x, y: point.y, label: labels[at] ?? 1 })),
    box,
    stroke: session.strokePreview && { ...session.strokePreview, radius: session.brushRadius },
    shapes: session.tool.overlay(),
  };
}
