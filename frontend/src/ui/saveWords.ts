import type { JournalStatus } from "../core/journal";

/** How many operations wait, and how many of them would be lost with this page. */
export function waitingWords({ waiting, onlyHere }: Pick<JournalStatus, "waiting" | "onlyHere">): string {
  if (onlyHere === 0) return `${waiting} waiting`;
  return `${waiting} waiting, ${onlyHere < waiting ? `${onlyHere} ` : ""}kept only in this page`;
}
