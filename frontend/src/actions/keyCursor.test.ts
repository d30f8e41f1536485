import { afterEach, beforeEach, expect, it } from "vitest";
import { imagePoint } from "../core/geometry";
import { patchArea, patchHas } from "../core/patch";
import { toScreen } from "../core/viewport";
import type { EditorSession } from "./editorSession";
import { openSession } from "./testingSession";

const size = { width: 200, height: 150 };
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
let session: EditorSession;

beforeEach(() => {
  session = openSession(size);
});

afterEach(() => session.close());

it("appears in the middle, moves by steps, and stays on the picture", () => {
  const { cursor } = session;
  expect(cursor.visible).toBe(false);
  cursor.step(1, 0, false);
  expect(cursor.at).toEqual({ x: 100.5, y: 75.5 });
  cursor.step(1, 0, false);
  cursor.step(0, -1, true);
  expect(cursor.at).toEqual({ x: 108.5, y: 11.5 });
  for (let i = 0; i < 9; i++) cursor.step(-1, -1, true);
  expect(cursor.at).toEqual({ x: 0, y: 0 });
  cursor.step(0, 1, false);
  expect(cursor.at).toEqual({ x: 0, y: 8.5 });
});

it("reaches the edges, so that a polygon by keys alone holds the last column and row", () => {
  const { cursor, drafting } = session;
  const far = (dx: number, dy: number) => {
    for (let i = 0; i < 4; i++) cursor.step(dx, dy, true);
    cursor.press("left");
  };
  session.setTool("polygon");
  cursor.step(-1, 0, false);
  far(-1, -1);
  far(1, 0);
  far(0, 1);
  far(-1, 0);
  session.tool.finish();
  expect(drafting.patch && patchArea(drafting.patch)).toBe(size.width * size.height);
  cursor.step(1, 0, false);
  cursor.step(1, -1, true);
  cursor.step(1, -1, true);
  cursor.step(1, -1, true);
  cursor.step(-1, 0, false);
  expect(cursor.at?.x).toBe(191.5);
});

it("begins where the mouse was, and goes when the mouse takes over", () => {
  const { cursor } = session;
  cursor.leaveTo(imagePoint(20.2, 30.9));
  cursor.step(0, 1, false);
  expect(cursor.at).toEqual({ x: 20.5, y: 30.5 });
  cursor.leaveTo(imagePoint(50, 50));
  expect(cursor.visible).toBe(false);
});

it("moves single pixels when the picture is enlarged, and the picture moves along", () => {
  const { cursor } = session;
  cursor.step(1, 0, false);
  session.zoom(toScreen(session.view, imagePoint(100, 75)), 16);
  for (let i = 0; i < 40; i++) cursor.step(1, 0, false);
  const at = cursor.at ?? imagePoint(0, 0);
  expect(at.x).toBe(140.5);
  const { x } = toScreen(session.view, at);
  expect(x).toBeGreaterThan(0);
  expect(x).toBeLessThan(session.canvas.width);
});

it("clicks and right clicks", async () => {
  session.cursor.step(1, 0, false);
  session.cursor.press("left");
  await settle();
  session.cursor.step(1, 0, false);
  session.cursor.press("right");
  await settle();
  expect(session.store.draft.steps).toMatchObject([
    { kind: "point", x: 100.5, label: 1 },
    { kind: "point", x: 108.5, label: 0 },
  ]);
});

it("holds a brush down from one press to the next, and lets go when another tool is taken", () => {
  const { cursor, drafting } = session;
  session.setTool("brush");
  cursor.step(1, 0, false);
  cursor.press("left");
  expect(cursor.held).toBe(true);
  cursor.step(1, 0, true);
  cursor.press("left");
  expect(cursor.held).toBe(false);
  for (const x of [100.5, 130, 164.5])
    expect(drafting.patch && patchHas(drafting.patch, imagePoint(x, 75.5))).toBe(true);
  cursor.press("left");
  session.setTool("eraser");
  expect(cursor.held).toBe(false);
  expect(drafting.draft.edits).toBe(1);
});

it.each(["brush", "scribble"] as const)("ends a %s that keys hold down where the mouse takes over", (tool) => {
  const { cursor, store } = session;
  const mouse = imagePoint(20, 20);
  const pointer = { image: mouse, screen: toScreen(session.view, mouse), inside: true, button: "left" as const };
  session.setTool(tool);
  cursor.step(1, 0, false);
  cursor.press("left");
  cursor.step(1, 0, true);
  // What a mouse that presses nothing does to the editor when it moves.
  cursor.leaveTo(mouse);
  session.tool.move({ ...pointer, alt: false, shift: false, touch: false, pressure: 1 });
  expect([cursor.held, session.tool.state()]).toEqual([false, "idle"]);
  const { edited, steps } = store.draft;
  if (tool === "scribble") expect(steps.map((step) => step.kind === "point" && step.y)).toContain(75.5);
  else expect(edited && [patchHas(edited, imagePoint(164, 75)), patchHas(edited, mouse)]).toEqual([true, false]);
  session.undo();
  expect(session.drafting.empty).toBe(true);
});

it("paints lines from press to press for those who work by clicks alone", () => {
  const { cursor, drafting } = session;
  session.preferences.set({ clickOnly: true });
  session.setTool("brush");
  cursor.step(1, 0, false);
  cursor.press("left");
  expect(cursor.held).toBe(false);
  cursor.step(1, 0, true);
  cursor.press("left");
  expect(drafting.patch && patchHas(drafting.patch, imagePoint(130, 75.5))).toBe(true);
});
