import { createBoxTool } from "../tools/boxTool";
import { createBrushTool } from "../tools/brushTool";
import { createClickTool } from "../tools/clickTool";
import { createSelectTool } from "../tools/selectTool";
import type { Tool, ToolContext } from "../tools/tool";
import type { EditorSession } from "./editorSession";

export type ToolId = "select" | "click" | "box" | "brush" | "eraser";

/** Every tool of the editor, made for one session. */
export function createTools(session: EditorSession): Record<ToolId, Tool> {
  const context = toolContext(session);
  return {
    select: createSelectTool(context),
    click: createClickTool(context),
    box: createBoxTool(context),
    brush: createBrushTool("brush", context),
    eraser: createBrushTool("eraser", context),
  };
}

/** What tools may do to a session. */
function toolContext(session: EditorSession): ToolContext {
  const { drafting } = session;
  return {
    imageSize: () => session.size,
    addPoint: (point, label) => {
      if (!session.mayChange()) return;
      session.select(null);
      drafting.addPoint(point, label);
    },
    setBox: (box) => {
      if (!session.mayChange()) return;
      session.select(null);
      drafting.setBox(box);
    },
    stroke: (points, value) => {
      if (session.mayChange()) drafting.stroke(points, session.brushRadius, value, session.selected);
    },
    previewStroke: (points, value) => {
      session.strokePreview = points && { points, value };
      session.touch();
    },
    hover: (point) => drafting.hover(session.editable ? point : null),
    selectAt: (point) => session.select(session.store.at(point, session.hidden)?.id ?? null),
    brushRadius: () => session.brushRadius,
    removing: () => session.removing,
    repaint: () => session.touch(),
  };
}
