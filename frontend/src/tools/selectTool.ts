import { Machine, type OverlayShape, type Tool, type ToolContext } from "./tool";

/** Picks the mask under the pointer, the smallest where several lie on one another. */
export function createSelectTool(context: ToolContext): Tool {
  const machine = new Machine<"idle">("idle", {
    idle: {
      down: (pointer) => {
        if (pointer) context.selectAt(pointer.image);
        return "idle";
      },
    },
  });
  return {
    id: "select",
    cursor: "default",
    state: () => machine.state,
    down: (pointer) => machine.send("down", pointer),
    move: (pointer) => machine.send("move", pointer),
    up: (pointer) => machine.send("up", pointer),
    leave: () => machine.send("leave", null),
    cancel: () => false,
    overlay: (): OverlayShape[] => [],
  };
}
