import { beforeEach, describe, expect, it } from "vitest";
import { imagePoint, isInside, screenPoint } from "../core/geometry";
import { createBoxTool } from "./boxTool";
import { createBrushTool } from "./brushTool";
import { createClickTool } from "./clickTool";
import { createOutlineTool } from "./outlineTool";
import { createProposalTool } from "./proposalTool";
import { createScribbleTool } from "./scribbleTool";
import { createSelectTool } from "./selectTool";
import type { Tool, ToolContext, ToolPointer } from "./tool";

const size = { width: 100, height: 50 };
let calls: string[];
let removing: boolean;
let clickOnly: boolean;
let drafting: boolean;

const at = (x: number, y: number, part: Partial<ToolPointer> = {}): ToolPointer => ({
  screen: screenPoint(x * 2, y * 2),
  image: imagePoint(x, y),
  inside: isInside(imagePoint(x, y), size),
  button: "left",
  alt: false,
  shift: false,
  touch: false,
  pressure: 1,
  ...part,
});

const line = (points: readonly { x: number; y: number }[]) => points.map(({ x, y }) => `${x},${y}`).join(" ");

function context(): ToolContext {
  return {
    imageSize: () => size,
    scale: () => 2,
    addPoint: (point, label) => calls.push(`point ${point.x},${point.y} ${label}`),
    scribble: (points, label) => calls.push(`scribble ${line(points)} = ${label}`),
    setBox: (box) => calls.push(`box ${box.x0},${box.y0},${box.x1},${box.y1}`),
    outline: (points, use) => calls.push(`outline ${line(points)} = ${use}`),
    stroke: (points, value) => {
      calls.push(`stroke ${line(points)} = ${value}`);
      drafting = true;
    },
    previewStroke: () => undefined,
    hover: (point) => calls.push(point ? `hover ${point.x},${point.y}` : "hover off"),
    selectAt: (point, more) => calls.push(`select ${point.x},${point.y}${more ? " too" : ""}`),
    pointAtProposal: () => undefined,
    takeProposal: (point) => calls.push(`take ${point.x},${point.y}`),
    dismissProposal: (point) => calls.push(`dismiss ${point.x},${point.y}`),
    measure: (from, to) => calls.push(from && to ? `measure ${from.x},${from.y} ${to.x},${to.y}` : "measure nothing"),
    brushRadius: () => 5,
    removing: () => removing,
    outlineUse: () => "model",
    clickOnly: () => clickOnly,
    drafting: () => drafting,
    repaint: () => undefined,
  };
}

const click = (tool: Tool, pointer: ToolPointer) => {
  tool.down(pointer);
  tool.up(pointer);
};

beforeEach(() => {
  calls = [];
  removing = false;
  clickOnly = false;
  drafting = false;
});

describe("click tool", () => {
  it("adds with the left button, removes with the right one or Alt", () => {
    const tool = createClickTool(context());
    tool.down(at(10, 10));
    tool.down(at(20, 10, { button: "right" }));
    tool.down(at(30, 10, { alt: true }));
    expect(calls).toEqual(["point 10,10 1", "point 20,10 0", "point 30,10 0"]);
  });

  it("previews under the pointer and stops outside the image", () => {
    const tool = createClickTool(context());
    tool.move(at(10, 10));
    tool.move(at(200, 10));
    tool.leave();
    tool.down(at(200, 10));
    expect(calls).toEqual(["hover 10,10", "hover off", "hover off"]);
  });

  it("takes a tap when the finger is lifted, and none when it moved", () => {
    const tool = createClickTool(context());
    tool.down(at(10, 10, { touch: true }));
    expect(tool.state()).toBe("touching");
    tool.up(at(11, 10, { touch: true }));
    tool.down(at(10, 10, { touch: true }));
    tool.move(at(40, 10, { touch: true }));
    tool.up(at(40, 10, { touch: true }));
    expect(calls).toEqual(["point 10,10 1"]);
  });

  it("removes by touch when switched to it", () => {
    removing = true;
    const tool = createClickTool(context());
    tool.down(at(10, 10, { touch: true }));
    tool.up(at(10, 10, { touch: true }));
    expect(calls).toEqual(["point 10,10 0"]);
  });
});

describe("box tool", () => {
  it("draws by dragging, in any direction, cut to the image", () => {
    const tool = createBoxTool(context());
    tool.down(at(60, 40));
    tool.move(at(-10, 20));
    expect(tool.overlay()).toHaveLength(1);
    tool.up(at(-10, 20));
    expect(calls.at(-1)).toBe("box 0,20,60,40");
    expect(tool.state()).toBe("idle");
  });

  it("needs no drag: two clicks set two corners", () => {
    const tool = createBoxTool(context());
    tool.down(at(10, 10));
    tool.up(at(10, 10));
    expect(tool.state()).toBe("corner");
    tool.move(at(30, 30));
    tool.down(at(40, 30));
    tool.up(at(40, 30));
    expect(calls.at(-1)).toBe("box 10,10,40,30");
  });

  it("gives up on cancel", () => {
    const tool = createBoxTool(context());
    expect(tool.cancel()).toBe(false);
    tool.down(at(10, 10));
    tool.move(at(30, 30));
    expect(tool.cancel()).toBe(true);
    tool.up(at(30, 30));
    expect(calls.filter((call) => call.startsWith("box"))).toEqual([]);
  });
});

describe("brush tool", () => {
  it("makes one stroke of one press, and Alt turns it round", () => {
    const tool = createBrushTool("brush", context());
    tool.down(at(10, 10));
    tool.move(at(10.2, 10)); // less than half a pixel changes nothing
    tool.move(at(20, 10));
    tool.up(at(20, 10));
    click(tool, at(10, 10, { alt: true }));
    expect(calls).toEqual(["stroke 10,10 20,10 = 1", "stroke 10,10 = 0"]);
  });

  it("drops a cancelled stroke", () => {
    const tool = createBrushTool("eraser", context());
    tool.down(at(10, 10));
    expect(tool.cancel()).toBe(true);
    tool.up(at(10, 10));
    expect(calls).toEqual([]);
  });

  it("paints a straight line to a Shift + click, as long as there is a mask to go on with", () => {
    const tool = createBrushTool("brush", context());
    click(tool, at(10, 10));
    tool.down(at(30, 30, { shift: true }));
    tool.move(at(40, 10, { shift: true }));
    tool.up(at(40, 10, { shift: true }));
    drafting = false; // accepted
    click(tool, at(60, 20, { shift: true }));
    expect(calls).toEqual(["stroke 10,10 = 1", "stroke 10,10 40,10 = 1", "stroke 60,20 = 1"]);
  });

  it("needs no drag by clicks alone: every click paints a line from the one before", () => {
    clickOnly = true;
    const tool = createBrushTool("eraser", context());
    click(tool, at(10, 10));
    tool.move(at(15, 12));
    click(tool, at(20, 10));
    click(tool, at(20, 30));
    expect(calls).toEqual(["stroke 10,10 = 0", "stroke 10,10 20,10 = 0", "stroke 20,10 20,30 = 0"]);
    expect(tool.state()).toBe("idle");
  });
});

describe("scribble tool", () => {
  it("hands over the line, negative with the right button", () => {
    const tool = createScribbleTool(context());
    tool.down(at(10, 10));
    tool.move(at(20, 10));
    expect(tool.overlay()).toMatchObject([{ kind: "line", removes: false }]);
    tool.up(at(20, 10));
    click(tool, at(30, 10, { button: "right" }));
    expect(calls.filter((call) => call.startsWith("scribble"))).toEqual([
      "scribble 10,10 20,10 = 1",
      "scribble 30,10 = 0",
    ]);
    expect(tool.overlay()).toEqual([]);
  });
});

describe("lasso and polygon", () => {
  const outlines = () => calls.filter((call) => call.startsWith("outline"));

  it("close a drawn line when the button is let go", () => {
    const tool = createOutlineTool("lasso", context());
    tool.down(at(10, 10));
    for (const [x, y] of [
      [30, 10],
      [30, 30],
      [10, 30],
    ] as const)
      tool.move(at(x, y));
    tool.up(at(10, 30));
    expect(outlines()).toEqual(["outline 10,10 30,10 30,30 10,30 = model"]);
    expect(tool.state()).toBe("idle");
  });

  it("take corners by clicks; Enter, a double click or the first corner closes", () => {
    const tool = createOutlineTool("polygon", context());
    const corners = [at(10, 10), at(30, 10), at(30, 30)];
    for (const corner of corners) click(tool, corner);
    expect(tool.state()).toBe("placing");
    expect(tool.overlay()).toMatchObject([{ kind: "outline", removes: false }]);
    expect(tool.finish()).toBe(true);
    for (const corner of corners) click(tool, corner);
    click(tool, at(11, 11));
    for (const corner of corners) click(tool, corner);
    click(tool, at(30, 30)); // the second press of a double click adds no corner
    tool.finish();
    expect(outlines()).toEqual(Array(3).fill("outline 10,10 30,10 30,30 = model"));
    expect(tool.finish()).toBe(false);
  });

  it("take back corner by corner, and give up", () => {
    const tool = createOutlineTool("polygon", context());
    for (const corner of [at(10, 10), at(30, 10), at(30, 30), at(10, 30)]) click(tool, corner);
    expect(tool.back()).toBe(true);
    tool.finish();
    expect(outlines()).toEqual(["outline 10,10 30,10 30,30 = model"]);
    click(tool, at(10, 10));
    expect([tool.back(), tool.back(), tool.state()]).toEqual([true, false, "idle"]);
    click(tool, at(10, 10));
    expect([tool.cancel(), tool.cancel()]).toEqual([true, false]);
  });

  it("mix drawing and corners, stay on the picture, and take away with the right button", () => {
    const tool = createOutlineTool("polygon", context());
    click(tool, at(10, 10, { button: "right" }));
    tool.down(at(30, 10));
    tool.move(at(40, 20));
    tool.move(at(300, 30));
    tool.up(at(300, 30));
    tool.finish();
    expect(outlines()).toEqual(["outline 10,10 30,10 40,20 99.999,30 = remove"]);
  });

  it("are nothing with two corners", () => {
    const tool = createOutlineTool("lasso", context());
    click(tool, at(10, 10));
    click(tool, at(30, 10));
    tool.finish();
    expect(outlines()).toEqual([]);
    expect(tool.state()).toBe("idle");
  });
});

describe("proposal tool", () => {
  it("takes with a click and waves away with the right button", () => {
    const tool = createProposalTool(context());
    tool.down(at(10, 10));
    tool.down(at(20, 10, { button: "right" }));
    tool.down(at(300, 10));
    expect(calls).toEqual(["take 10,10", "dismiss 20,10"]);
  });
});

describe("select tool", () => {
  it("asks for the mask under the pointer, and for one more with Shift", () => {
    const tool = createSelectTool(context());
    tool.down(at(3, 4));
    tool.down(at(5, 6, { shift: true }));
    expect(calls).toEqual(["select 3,4", "select 5,6 too"]);
  });
});
