import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { EditorSession } from "../../actions/editorSession";
import { openSession } from "../../actions/testingSession";
import { maskItem } from "../../core/testing";
import { announce, QUIET } from "./announcing";

let session: EditorSession;
let said: string[];
const say = (message: string) => void said.push(message);

function open(masks: readonly string[]): void {
  session = openSession({ width: 100, height: 80 });
  Object.assign(session.options.image, { file_name: "street.jpg" });
  for (const id of masks) session.store.setMask(id, maskItem(id), "remote");
}

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
});

afterEach(() => {
  session.close();
  vi.useRealTimers();
});

it.each([
  [[], "street.jpg, no masks."],
  [["a"], "street.jpg, 1 mask."],
  [["a", "b"], "street.jpg, 2 masks."],
])("tells which image was opened and how many masks it has: %j", (masks, words) => {
  open(masks);
  announce(session, say);
  expect(said).toEqual([]); // what is read out must change after it is there
  vi.advanceTimersByTime(QUIET);
  expect(said).toEqual([words]);
});

it("tells of the image once, whatever happens afterwards, and when it is begun twice", () => {
  open(["a"]);
  announce(session, say)();
  announce(session, say);
  vi.advanceTimersByTime(QUIET);
  session.setTool("brush");
  session.store.setMask("b", maskItem("b"), "remote");
  vi.advanceTimersByTime(QUIET);
  expect(said).toEqual(["street.jpg, 1 mask.", "Brush."]);
});

it("tells of the image and of what came right after it in one message", () => {
  open([]);
  announce(session, say);
  vi.advanceTimersByTime(QUIET / 2);
  session.setTool("brush");
  vi.advanceTimersByTime(QUIET * 2);
  expect(said).toEqual(["street.jpg, no masks. Brush."]);
});

it("says nothing after it was ended", () => {
  open([]);
  announce(session, say)();
  session.setTool("brush");
  vi.advanceTimersByTime(QUIET * 2);
  expect(said).toEqual([]);
});
