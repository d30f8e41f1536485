import { afterEach, beforeEach, expect, it } from "vitest";
import { imagePoint } from "../core/geometry";
import { patchHas } from "../core/patch";
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
  expect(cursor.at).toEqual({ x: 0.5, y: 0.5 });
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
