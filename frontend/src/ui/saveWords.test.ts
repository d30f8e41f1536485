import { expect, it } from "vitest";
import { waitingWords } from "./saveWords";

it.each([
  [{ waiting: 2, onlyHere: 0 }, "2 waiting"],
  [{ waiting: 2, onlyHere: 2 }, "2 waiting, kept only in this page"],
  [{ waiting: 3, onlyHere: 1 }, "3 waiting, 1 kept only in this page"],
])("says what waits and what a closed page would lose: %o", (status, words) => {
  expect(waitingWords(status)).toBe(words);
});
