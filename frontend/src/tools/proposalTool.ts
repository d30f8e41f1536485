import { Machine, removes, type Tool, type ToolContext, toolOf } from "./tool";

/** Takes masks out of those proposed for the whole image with one click each; the right button or Alt waves one away. */
export function createProposalTool(context: ToolContext): Tool {
  const machine = new Machine<"idle">("idle", {
    idle: {
      move: (pointer) => {
        context.pointAtProposal(pointer?.inside ? pointer.image : null);
        return "idle";
      },
      leave: () => {
        context.pointAtProposal(null);
        return "idle";
      },
      down: (pointer) => {
        if (!pointer?.inside) return "idle";
        if (removes(pointer, context.removing())) context.dismissProposal(pointer.image);
        else context.takeProposal(pointer.image);
        return "idle";
      },
    },
  });
  return toolOf("proposals", machine, { cursor: "pointer" });
}
