import { expect, it } from "vitest";
import { EMPTY_TRAIL, earlier, later, visited } from "./trail";

const through = (...images: number[]) => images.reduce(visited, EMPTY_TRAIL);

it("leads back and forward through what was opened", () => {
  const back = visited(through(1, 2, 3), 2);
  expect([earlier(back), later(back)]).toEqual([1, 3]);
  expect(later(visited(back, 3))).toBeNull();
  expect(earlier(through(7))).toBeNull();
});

it("stays where it is on a reload, and goes on at the end after a look back", () => {
  const twice = visited(through(1, 2), 2);
  expect(twice.images).toEqual([1, 2]);
  const onwards = visited(visited(through(1, 2, 3), 2), 9);
  expect(onwards.images).toEqual([1, 2, 3, 9]);
  expect(earlier(onwards)).toBe(3);
});

it("names no image twice and does not grow for ever", () => {
  expect(through(1, 2, 3, 4, 1).images).toEqual([2, 3, 4, 1]);
  const long = Array.from({ length: 500 }, (_, n) => n).reduce(visited, EMPTY_TRAIL);
  expect(long.images).toHaveLength(100);
  expect(earlier(long)).toBe(498);
});
