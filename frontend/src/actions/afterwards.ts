import type { Later } from "../core/later";

/** The browser's own clock. */
export const afterwards: Later = (work, milliseconds) => {
  const timer = setTimeout(work, milliseconds);
  return () => clearTimeout(timer);
};
