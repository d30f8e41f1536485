import { fillPolygon } from "../core/polygon";
import { worksByClicks } from "../core/preferences";
import { createBoxTool } from "../tools/boxTool";
import { createBrushTool } from "../tools/brushTool";
import { createClickTool } from "../tools/clickTool";
import { createOutlineTool } from "../tools/outlineTool";
import { createProposalTool } from "../tools/proposalTool";
import { createRulerTool } from "../tools/rulerTool";
import { createScribbleTool } from "../tools/scribbleTool";
import { createSelectTool } from "../tools/selectTool";
import type { Tool, ToolContext } from "../tools/tool";
import type { EditorSession } from "./editorSession";

export type ToolId =
  | "click"
  | "box"
  | "scribble"
  | "lasso"
  | "proposals"
  | "brush"
  | "eraser"
  | "polygon"
  | "select"
  | "ruler";

/** Every tool of the editor, made for one session. */
export function createTools(session: EditorSession): Record<ToolId, Tool> {
  const context = toolContext(session);
  return {
    click: createClickTool(context),
    box: createBoxTool(context),
    scribble: createScribbleTool(context),
    lasso: createOutlineTool("lasso", context),
    proposals: createProposalTool(context),
    brush: createBrushTool("brush", context),
    eraser: createBrushTool("eraser", context),
    polygon: createOutlineTool("polygon", context),
    select: createSelectTool(context),
    ruler: createRulerTool(context),
  };
}

/** What tools may do to a session. */
function toolContext(session: EditorSession): ToolContext {
  const { drafting, preferences, proposals } = session;
  /** A prompt begins or goes on with a mask of its own; what was selected is no longer meant. */
  const prompting = (work: () => void) => {
    if (!session.mayChange()) return;
    session.select(null);
    session.promptedAt = performance.now();
    work();
  };
  return {
    imageSize: () => session.size,
    scale: () => session.view.scale,
    addPoint: (point, label) => prompting(() => drafting.addPoint(point, label)),
    scribble: (points, label) => prompting(() => drafting.scribble(points, label)),
    setBox: (box) => prompting(() => drafting.setBox(box)),
    outline: (points, use) => {
      const area = fillPolygon(points, session.size);
      if (use === "model") prompting(() => drafting.roughMask(area));
      else if (session.mayChange()) drafting.area(area, use === "add" ? 1 : 0, session.selected);
    },
    stroke: (points, value) => {
      const { selected } = session;
      if (!session.mayChange() || (selected && drafting.empty && !session.masks.changeable(selected.id))) return;
      drafting.stroke(points, session.brushRadius, value, selected);
    },
    previewStroke: (points, value) => {
      session.strokePreview = points && { points, value };
      session.touch();
    },
    hover: (point) => drafting.hover(session.editable ? point : null),
    selectAt: (point, more) => {
      const found = session.store.at(point, session.hidden)?.id ?? null;
      if (more) session.alsoSelect(found);
      else session.select(found);
    },
    pointAtProposal: (point) => proposals.pointAt(point),
    takeProposal: (point) => {
      if (session.mayChange()) proposals.take(point);
    },
    dismissProposal: (point) => proposals.dismiss(point),
    measure: (from, to) => {
      session.ruler = from && to && { from, to };
      session.touch();
    },
    brushRadius: () => session.brushRadius,
    removing: () => session.removing,
    outlineUse: () => (session.removing ? "remove" : session.outlineUse),
    clickOnly: () => worksByClicks(preferences.current),
    drafting: () => !drafting.empty,
    repaint: () => session.touch(),
  };
}
