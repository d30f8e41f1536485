import { beforeEach, describe, expect, it } from "vitest";
import { imagePoint, isInside, screenPoint } from "../core/geometry";
import { createBoxTool } from "./boxTool";
import { createBrushTool } from "./brushTool";
import { createClickTool } from "./clickTool";
import { createSelectTool } from "./selectTool";
import type { ToolContext, ToolPointer } from "./tool";

const size = { width: 100, height: 50 };
let calls: string[];
let removing: boolean;

const at = (x: number, y: number, part: Partial<ToolPointer> = {}): ToolPointer => ({
  screen: screenPoint(x * 2, y * 2),
  image: imagePoint(x, y),
  inside: isInside(imagePoint(x, y), size),
  button: "left",
  alt: false,
  touch: false,
  ...part,
});

function context(): ToolContext {
  return {
    imageSize: () => size,
    addPoint: (point, label) => calls.push(`point ${point.x},${point.y} ${label}`),
    setBox: (box) => calls.push(`box ${box.x0},${box.y0},${box.x1},${box.y1}`),
    stroke: (points, value) => calls.push(`stroke ${points.length} ${value}`),
    previewStroke: () => undefined,
    hover: (point) => calls.push(point ? `hover ${point.x},${point.y}` : "hover off"),
    selectAt: (point) => calls.push(`select ${point.x},${point.y}`),
    brushRadius: () => 5,
    removing: () => removing,
    repaint: () => undefined,
  };
}

beforeEach(() => {
  calls = [];
  removing = false;
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
    tool.down(at(10, 10, { alt: true }));
    tool.up(at(10, 10));
    expect(calls).toEqual(["stroke 2 1", "stroke 1 0"]);
  });

  it("drops a cancelled stroke", () => {
    const tool = createBrushTool("eraser", context());
    tool.down(at(10, 10));
    expect(tool.cancel()).toBe(true);
    tool.up(at(10, 10));
    expect(calls).toEqual([]);
  });
});

describe("select tool", () => {
  it("asks for the mask under the pointer", () => {
    createSelectTool(context()).down(at(3, 4));
    expect(calls).toEqual(["select 3,4"]);
  });
});
