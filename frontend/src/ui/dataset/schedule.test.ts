import { describe, expect, it } from "vitest";
import type { Schedule } from "../../api/types";
import { mixText, scheduleText, zoneHere, zones } from "./schedule";

const OFF: Schedule = {
  kind: "off",
  every: null,
  at: null,
  weekday: null,
  zone: "UTC",
  text: "",
  next_at: null,
  asked_at: null,
  answer: "",
};

describe("a schedule in words", () => {
  it.each<[Partial<Schedule>, string]>([
    [{}, ""],
    [{ kind: "hours", every: 1 }, "Every hour"],
    [{ kind: "hours", every: 6 }, "Every 6 hours"],
    [{ kind: "daily", at: "02:30", zone: "Europe/Berlin" }, "Every day at 02:30 (Europe/Berlin)"],
    [{ kind: "weekly", at: "23:05", weekday: 6 }, "Every Sunday at 23:05 (UTC)"],
    [{ kind: "other", text: "*/20 8-17 * * *" }, "*/20 8-17 * * *"],
  ])("%j is %s", (change, text) => {
    expect(scheduleText({ ...OFF, ...change })).toBe(text);
  });

  it("is offered in every zone once, the browser's among them", () => {
    const all = zones();
    expect(all).toContain(zoneHere());
    expect(new Set(all).size).toBe(all.length);
  });
});

describe("the mix of views", () => {
  it("leaves out what is not drawn at all", () => {
    expect(mixText({ people: 0.72, automatic: 0.08, synthetic: 0.2 })).toBe(
      "72 % masks by people, 8 % automatic masks, 20 % synthetic scenes",
    );
    expect(mixText({ people: 1, automatic: 0, synthetic: 0 })).toBe("100 % masks by people");
    expect(mixText({})).toBe("");
  });
});
