import { Machine, type Tool, type ToolContext, toolOf } from "./tool";

/** Picks the mask under the pointer, the smallest where several lie on one another; Shift + click picks several. */
export function createSelectTool(context: ToolContext): Tool {
  const machine = new Machine<"idle">("idle", {
    idle: {
      down: (pointer) => {
        if (pointer) context.selectAt(pointer.image, pointer.shift);
        return "idle";
      },
    },
  });
  return toolOf("select", machine, { cursor: "default" });
}
