import { clamp, type ImagePoint } from "../core/geometry";
import type { StrokePoint } from "../core/patch";
import type { OutlineUse, Tool } from "../tools/tool";
import { Surface } from "./surface";
import type { ToolId } from "./toolbox";

const BRUSH_SMALLEST = 1;
const BRUSH_LARGEST = 400;

/** The tool in hand and how it is set; what tools show of themselves. */
export abstract class ToolHand extends Surface {
  abstract tool: Tool;
  toolId: ToolId = "click";
  /** For those without a second button: the plain gesture of a tool removes while this is set. */
  removing = false;
  outlineUse: OutlineUse = "model";
  brushRadius = 12;
  strokePreview: { points: readonly StrokePoint[]; value: 0 | 1 } | null = null;
  /** The distance that was measured last, in image pixels. */
  ruler: { readonly from: ImagePoint; readonly to: ImagePoint } | null = null;
  protected abstract readonly tools: Record<ToolId, Tool>;

  /** Takes back what the last tool had begun. */
  protected abstract putDown(): void;

  /** A tool for one gesture, which is not in the toolbox. */
  takeTool(tool: Tool): void {
    this.putDown();
    this.tool = tool;
    this.touch();
  }

  setTool(id: ToolId): void {
    this.tool.cancel();
    this.putDown();
    this.ruler = null;
    this.toolId = id;
    this.tool = this.tools[id];
    this.outlineUse = id === "polygon" ? "add" : "model";
    this.touch();
  }

  setRemoving(removing: boolean): void {
    this.removing = removing;
    this.touch();
  }

  growBrush(factor: number): void {
    this.brushRadius = clamp(this.brushRadius * factor, BRUSH_SMALLEST / 2, BRUSH_LARGEST);
    this.touch();
  }

  setOutlineUse(use: OutlineUse): void {
    this.outlineUse = use;
    this.touch();
  }
}
