import type { Retraining, Schedule } from "../../api/types";
import { counted, percent } from "../kit/format";

export const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] as const;

/** "Every Monday at 02:30 (Europe/Berlin)"; empty when there is none. */
export function scheduleText(schedule: Schedule): string {
  const at = `at ${schedule.at} (${schedule.zone})`;
  switch (schedule.kind) {
    case "off":
      return "";
    case "hours":
      return schedule.every === 1 ? "Every hour" : `Every ${counted(schedule.every ?? 0, "hour")}`;
    case "daily":
      return `Every day ${at}`;
    case "weekly":
      return `Every ${WEEKDAYS[schedule.weekday ?? 0]} ${at}`;
    default:
      return schedule.text;
  }
}

/** "72 % masks by people, 8 % automatic masks, 20 % synthetic scenes"; parts of nothing are left out. */
export function mixText(mix: Retraining["mix"] | Record<string, number>): string {
  const parts: [number | undefined, string][] = [
    [mix.people, "masks by people"],
    [mix.automatic, "automatic masks"],
    [mix.synthetic, "synthetic scenes"],
  ];
  return parts
    .filter(([share]) => share !== undefined && share > 0)
    .map(([share, name]) => `${percent(share ?? 0)} ${name}`)
    .join(", ");
}

/** The browser's own time zone, and all it knows. */
export const zoneHere = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const zones = (): string[] => [...new Set(["UTC", zoneHere(), ...Intl.supportedValuesOf("timeZone")])];
